from __future__ import annotations

import hmac

import pytest

from ledger.privacy.mac import hmac_sha256


@pytest.mark.parametrize("key_bytes", [0, 16, 32, 63, 64])
@pytest.mark.parametrize("message_bytes", [0, 1, 55, 56, 64, 3000])
def test_it_is_the_hmac_of_everybody_else(key_bytes: int, message_bytes: int) -> None:
    key, message = bytes(range(key_bytes)), b"m" * message_bytes

    assert hmac.digest(key, message, "sha256") == hmac_sha256(key, message)


def test_a_key_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="65 bytes"):
        hmac_sha256(bytes(65), b"")
