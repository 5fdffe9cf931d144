"""How often a fact was given is the number that is kept now, and what counting finds: whatever was corrected or retracted."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.event import Event
from projections import facts
from projections.facts import FactsView
from projections.identities import IdentitiesView
from tests.build import at, event
from tests.correcting import correction, retraction
from tests.views import Views, subject

WHOSE = ("anna", "bert")
AFTER_ALL = at(10_000)

_facts = st.builds(
    lambda key, value: FactGiven(fact=Fact(key=key, value=value, value_mark=value.encode()), contact_id="c"),
    st.sampled_from(("size", "colour")),
    st.sampled_from(("s", "m")),
)


@st.composite
def _histories(draw: Any) -> list[Event]:
    """Return facts given by two people, some of them corrected, retracted, and both of that taken back."""
    history: list[Event] = []
    for position in range(1, draw(st.integers(1, 14)) + 1):
        about: Event | None = draw(st.sampled_from(history)) if history and draw(st.booleans()) else None
        if about is None:
            made: Any = draw(_facts)
        elif about.topic == "fact-given" and draw(st.booleans()):
            made = correction(about, draw(_facts), occur=draw(st.none() | st.integers(0, 9).map(at)))
        else:
            made = retraction(about)
        whose = about.subject if about is not None else subject(draw(st.sampled_from(WHOSE)))
        history.append(event(made, position=position, occur=at(draw(st.integers(0, 9))), subject=whose, revision=position))
    return history


@given(history=_histories(), batch_size=st.sampled_from((1, 3, 100)))
def test_the_number_kept_is_the_number_counted(history: list[Event], batch_size: int) -> None:
    views = Views(IdentitiesView(), FactsView()).apply(history, batch_size)

    for name in WHOSE:
        kept = facts.known_facts(views.read(), [subject(name)])
        # What happened before a time is counted.
        counted = facts.known_facts(views.read(before=AFTER_ALL), [subject(name)])
        assert counted == kept
