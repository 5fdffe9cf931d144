"""`tellonce answers`, `statements`, `opportunities` and `improvements` against the real server, as a person types them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from clients.python import Client, event, identifier, new_id
from ledger.api.v1.answer_pb2 import NO_KNOWLEDGE, NOT_CONFIRMED, STATED, AnswerGiven, StatementAcknowledged, StatementPublished
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, ImprovementClosed, ImprovementProposed
from ledger.api.v1.opportunity_pb2 import CROSS_SELL, OpportunityNoted
from tests.command_line import Tellonce, typed
from tests.server_process import Server


@pytest.fixture
def tellonce(shared_server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tellonce:
    return typed(shared_server.target, capsys, monkeypatch, columns=200)


class Story(NamedTuple):
    """What was recorded under codes of its own."""

    key: str
    email: str
    evidence: str
    position: int
    """Where the log stood before the last answer."""

    @property
    def question(self) -> str:
        return f"runs_{self.key}"


@pytest.fixture(scope="module")
def story(shared_server: Server) -> Story:
    """A statement for two desks, of which one has read it; three answers; an opportunity; an improvement."""
    key, mark = uuid.uuid4().hex[:8], new_id()
    email = f"lea.{key}@example.org"
    said: dict[str, Any] = {"question_key": f"runs_{key}", "customer": identifier(("email", email))}
    with Client(shared_server.target, consistency="latest") as client:
        statement = StatementPublished(
            statement_id=f"s-{key}",
            question_key=f"runs_{key}",
            answer_key="no_train",
            departments=["counter", "hotline"],
            text="No train leaves before 8 pm.",
        )
        client.append(event(statement, department="operations"))
        client.append(event(StatementAcknowledged(statement_id=f"s-{key}"), department="hotline"))
        client.append(
            event(
                AnswerGiven(**said, answer_key="every_hour", stance=STATED, text="One an hour."),
                department="counter",
                channel="counter",
                event_id=mark,
            ),
            event(AnswerGiven(**said, stance=NOT_CONFIRMED, obstacle=NO_KNOWLEDGE), department="hotline", channel="phone"),
            event(
                OpportunityNoted(
                    opportunity_id=f"o-{key}",
                    kind=CROSS_SELL,
                    product="insurance",
                    consent=True,
                    customer=identifier(("email", email)),
                    text="Asked for it.",
                )
            ),
            event(ImprovementProposed(improvement_id=f"i-{key}", problem=f"unread_{key}", evidence_event_ids=[mark])),
            event(ImprovementClosed(improvement_id=f"i-{key}", effect=EFFECT_BETTER)),
        )
        position = client.head().position
        client.append(
            event(AnswerGiven(**said, answer_key="no_train", stance=STATED), department="hotline", channel="phone"),
        )
    return Story(key, email, mark, position)


def test_answers_are_shown_against_the_official_one(tellonce: Tellonce, story: Story) -> None:
    shown = tellonce("answers", "--question", story.question)

    assert 0 == shown.code
    assert f"s-{story.key} contradicted" in shown.out
    assert f"s-{story.key} not confirmed" in shown.out
    assert "no knowledge" in shown.out
    assert "“One an hour.”" in shown.out


def test_answers_are_counted_by_channel_and_verdict(tellonce: Tellonce, story: Story) -> None:
    counted = tellonce("answers", "--statement", f"s-{story.key}", "--count", "channel,verdict", "--json").json()
    table = tellonce("answers", "--statement", f"s-{story.key}", "--count", "channel,verdict").out

    assert "3" == counted["result"]["total"]
    assert {
        ("counter", "STATEMENT_CONTRADICTED"),
        ("phone", "STATEMENT_CONFIRMED"),
        ("phone", "STATEMENT_NOT_CONFIRMED"),
    } == {tuple(row["values"]) for row in counted["result"]["rows"]}
    assert "not confirmed" in table


def test_contradictions_are_shown_with_the_share_by_question(tellonce: Tellonce, story: Story) -> None:
    shown = tellonce("answers", "--contradictions", "--question", story.question)
    then = tellonce("answers", "--contradictions", "--question", story.question, "--as-of", str(story.position))

    assert "100.0%" in shown.out
    assert "every hour · counter (counter)" in shown.out
    assert "no train · hotline (phone)" in shown.out
    assert "No contradictions." in then.out


def test_filters_of_single_answers_do_not_go_with_contradictions(tellonce: Tellonce) -> None:
    refused = tellonce("answers", "--contradictions", "--valid")

    assert 2 == refused.code
    assert "--contradictions" in refused.err


def test_a_statement_shows_who_has_not_read_it_and_what_was_answered(tellonce: Tellonce, story: Story) -> None:
    shown = tellonce("statements", "--id", f"s-{story.key}")
    listed = tellonce("statements", "--unread-by", "counter", "--question", story.question)
    read = tellonce("statements", "--unread-by", "hotline", "--question", story.question)

    assert "No train leaves before 8 pm." in shown.out
    assert "could have known" in shown.out
    assert "hotline at" in shown.out
    assert f"s-{story.key}" in listed.out
    assert "in force" in listed.out
    assert "No statements." in read.out


def test_the_official_answer_is_one(tellonce: Tellonce, story: Story) -> None:
    asked = ("statements", "--official", "--question", story.question, "--json")

    found = tellonce(*asked, "--department", "counter").json()
    unbound = tellonce(*asked, "--department", "bakery")
    before = tellonce(*asked, "--before", datetime(2020, 1, 1, tzinfo=UTC).isoformat())
    unnamed = tellonce("statements", "--official")

    assert "no_train" == found["result"]["answer_key"]
    assert (unbound.code, before.code) == (tellonce("statements", "--id", "s-nobody").code,) * 2
    assert "no statement in force" in unbound.err
    assert 2 == unnamed.code


def test_statements_are_counted(tellonce: Tellonce, story: Story) -> None:
    counted = tellonce("statements", "--count", "state", "--question", story.question, "--json").json()

    assert [["STATEMENT_STATE_PUBLISHED"]] == [row["values"] for row in counted["result"]["rows"]]


def test_opportunities_are_listed_shown_and_counted(tellonce: Tellonce, story: Story) -> None:
    listed = tellonce("opportunities", "--open", "--consented", "--customer", f"email:{story.email}")
    shown = tellonce("opportunities", "--id", f"o-{story.key}", "--json").json()
    counted = tellonce("opportunities", "--count", "state,kind", "--customer", f"email:{story.email}")

    assert "Asked for it." in listed.out
    assert ("insurance", True) == (shown["result"]["product"], shown["result"]["consent"])
    assert "noted" in counted.out
    assert "cross sell" in counted.out


def test_improvements_are_listed_shown_with_their_evidence_and_counted(tellonce: Tellonce, story: Story) -> None:
    listed = tellonce("improvements", "--problem", f"unread_{story.key}", "--json").json()
    shown = tellonce("improvements", "--id", f"i-{story.key}")
    counted = tellonce("improvements", "--problem", f"unread_{story.key}", "--count", "effect")

    assert [f"i-{story.key}"] == [row["improvement_id"] for row in listed["result"]["improvements"]]
    assert "answer given by counter" in shown.out
    assert story.evidence in shown.out
    assert "better" in counted.out


def test_the_card_shows_the_last_answers(tellonce: Tellonce, story: Story) -> None:
    card = tellonce("card", f"email:{story.email}")

    assert "Last answers" in card.out
    assert "every hour" in card.out
