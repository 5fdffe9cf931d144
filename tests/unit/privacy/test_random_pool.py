from __future__ import annotations

from ledger.privacy.random_pool import DRAWN_BYTES, RandomPool


def test_no_bytes_are_handed_out_twice() -> None:
    pool = RandomPool()

    handed_out = [pool(28) for _ in range(3 * DRAWN_BYTES // 28)]

    assert {28} == {len(fresh) for fresh in handed_out}
    assert len(handed_out) == len(set(handed_out))


def test_more_than_is_drawn_at_once_can_be_asked_for() -> None:
    assert 3 * DRAWN_BYTES == len(RandomPool()(3 * DRAWN_BYTES))
