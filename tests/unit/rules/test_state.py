"""A state replaces its fields as every named tuple does."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ledger.rules.state import state_class


class Plain(NamedTuple):
    """As Python makes it."""

    first: int
    second: str = "b"
    third: int | None = None


@state_class
class State(NamedTuple):
    """The same fields."""

    first: int
    second: str = "b"
    third: int | None = None


def test_what_is_replaced_changes_and_the_rest_stays() -> None:
    state = State(1, third=3)

    changed = state._replace(second="c", third=None)

    assert State is type(changed)
    assert Plain(1, third=3)._replace(second="c", third=None) == changed
    assert State(1, third=3) == state


def test_a_field_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="fourth"):
        State(1)._replace(fourth=4)  # type: ignore[call-arg]
