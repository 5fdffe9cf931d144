from __future__ import annotations

from ledger.privacy.lru import Lru


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept: Lru[str, int] = Lru(2)
    kept.put_all([("a", 1), ("b", 2)])

    kept.get_all(["a"])
    kept.put_all([("c", 3)])

    assert {"a": 1, "c": 3} == kept.get_all(["a", "b", "c"])
    assert 2 == len(kept)
