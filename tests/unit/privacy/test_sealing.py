"""Sealed parts, commitments and marks. The golden bytes are for ever: a change here makes stored content unreadable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ledger.internal.v1.stored_pb2 import PartHeader
from ledger.privacy.derivation import MARK, derived_key
from ledger.privacy.sealing import SealBrokenError, SubjectKey, open_part, seal, value_mark

KEY = SubjectKey(bytes(range(16)), 3, bytes(range(32, 64)))
OTHER_KEY = SubjectKey(bytes(range(16)), 3, bytes(range(33, 65)))
LEDGER_ID = b"L" * 16
EVENT_ID = b"E" * 16
CONTENT = "Où est mon colis ?".encode()
NONCE, SALT = bytes(range(100, 112)), bytes(range(200, 216))

GOLDEN_STORED = bytes.fromhex(
    "6465666768696a6b6c6d6e6f7da44418137c3a020c850d0b5ec248ba86415c5e5bb91a6dae2f005f14264b4a1d362a8db195464e40a7c6d7ce2251362b4394"
)
GOLDEN_COMMITMENT = bytes.fromhex("a42303d58647120ba0eb983ae942ec73474b15f1ed17ddeb08ae8a8bfdfadcfd")
GOLDEN_HEADER = bytes.fromhex(
    "0a10000102030405060708090a0b0c0d0e0f100118032220a42303d58647120ba0eb983ae942ec73474b15f1ed17ddeb08ae8a8bfdfadcfd"
)
GOLDEN_MARK = bytes.fromhex("a59694a3f627707f5b0793797cb2fec7")


def not_random(count: int) -> bytes:
    assert count == len(NONCE + SALT)
    return NONCE + SALT


def test_a_part_is_sealed_to_the_golden_bytes() -> None:
    header, stored = seal(KEY, LEDGER_ID, EVENT_ID, 1, CONTENT, not_random)

    assert GOLDEN_STORED == stored
    assert GOLDEN_COMMITMENT == header.commitment
    assert GOLDEN_HEADER == header.SerializeToString(deterministic=True)


def test_the_golden_bytes_open() -> None:
    content = open_part(KEY, LEDGER_ID, EVENT_ID, 1, PartHeader.FromString(GOLDEN_HEADER), GOLDEN_STORED)

    assert CONTENT == content


def test_the_stored_format_is_as_documented() -> None:
    header, stored = seal(KEY, LEDGER_ID, EVENT_ID, 1, CONTENT, not_random)

    place = LEDGER_ID + EVENT_ID + b"\x00\x00\x00\x01"
    assert NONCE + AESGCM(KEY.key).encrypt(NONCE, SALT + CONTENT, place) == stored
    assert hashlib.sha256(b"\x02" + SALT + CONTENT).digest() == header.commitment


def test_the_header_says_whose_key_seals_the_part_and_no_more() -> None:
    header, _ = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)

    assert (KEY.subject, 1, KEY.key_id) == (header.subject, getattr(header, "class"), header.key_id)
    assert CONTENT not in header.SerializeToString()


@pytest.mark.parametrize("content", [b"", b"x", bytes(70_000)])
def test_content_of_any_size_opens_again(content: bytes) -> None:
    header, stored = seal(KEY, LEDGER_ID, EVENT_ID, 0, content)

    assert content == open_part(KEY, LEDGER_ID, EVENT_ID, 0, header, stored)


def test_equal_content_is_sealed_to_different_bytes_and_commitments() -> None:
    first_header, first = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)
    second_header, second = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)

    assert first != second
    assert first_header.commitment != second_header.commitment


@dataclass
class Place:
    key: SubjectKey = KEY
    ledger_id: bytes = LEDGER_ID
    event_id: bytes = EVENT_ID
    number: int = 0


@pytest.mark.parametrize(
    "other",
    [Place(key=OTHER_KEY), Place(ledger_id=b"M" * 16), Place(event_id=b"F" * 16), Place(number=1)],
    ids=["key", "ledger", "event", "part number"],
)
def test_a_part_opens_only_in_its_own_place(other: Place) -> None:
    header, stored = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)

    with pytest.raises(SealBrokenError):
        open_part(other.key, other.ledger_id, other.event_id, other.number, header, stored)


@pytest.mark.parametrize("at", [0, 11, 12, 30, -1])
def test_a_flipped_bit_is_noticed(at: int) -> None:
    header, stored = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)
    changed = bytearray(stored)
    changed[at] ^= 1

    with pytest.raises(SealBrokenError):
        open_part(KEY, LEDGER_ID, EVENT_ID, 0, header, bytes(changed))


@pytest.mark.parametrize("length", [0, 5, 12, 27])
def test_a_torn_part_is_noticed(length: int) -> None:
    header, stored = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)

    with pytest.raises(SealBrokenError):
        open_part(KEY, LEDGER_ID, EVENT_ID, 0, header, stored[:length])


def test_content_sealed_anew_that_the_header_did_not_commit_to_is_noticed() -> None:
    header, _ = seal(KEY, LEDGER_ID, EVENT_ID, 0, CONTENT)
    _, forged = seal(KEY, LEDGER_ID, EVENT_ID, 0, b"something else")

    with pytest.raises(SealBrokenError, match="committed"):
        open_part(KEY, LEDGER_ID, EVENT_ID, 0, header, forged)


def test_a_mark_is_equal_for_equal_values_of_one_subject_and_label() -> None:
    mark = value_mark(KEY, "order", "4711")

    assert GOLDEN_MARK == mark
    assert mark == value_mark(KEY, "order", "4711")


def test_a_mark_differs_by_value_label_and_subject() -> None:
    marks = {value_mark(KEY, "order", "4711"), value_mark(KEY, "order", "4712"), value_mark(KEY, "parcel", "4711")}
    marks.add(value_mark(OTHER_KEY, "order", "4711"))

    assert 4 == len(marks)


def test_keys_are_derived_as_rfc_5869_expands_them() -> None:
    assert HKDFExpand(SHA256(), 32, MARK).derive(KEY.key) == derived_key(KEY.key, MARK)


def test_a_key_does_not_show_itself() -> None:
    assert KEY.key.hex() not in repr(KEY)
    assert repr(KEY.key) not in repr(KEY)
