"""What departments answered, where they contradict each other, and a crisis with one official answer, asked of the real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.python import AsOf, MoveNotAllowedError, NotRecordedError, event, identifier, new_id
from clients.python.events import correction
from ledger.api.v1.answer_pb2 import (
    NO_ACCESS,
    NOT_CONFIRMED,
    REFERRED,
    STATED,
    AnswerGiven,
    StatementAcknowledged,
    StatementAnnounced,
    StatementPublished,
    StatementWithdrawn,
)
from ledger.api.v1.answer_service_pb2 import (
    STATEMENT_CONFIRMED,
    STATEMENT_CONTRADICTED,
    STATEMENT_NOT_CONFIRMED,
    STATEMENT_STATE_PAST,
    STATEMENT_STATE_REPLACED,
    STATEMENT_STATE_WITHDRAWN,
    StatementAnswers,
)
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import ObjectReference
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, ImprovementClosed, ImprovementProposed
from ledger.api.v1.opportunity_pb2 import CROSS_SELL, OpportunityDismissed, OpportunityNoted, OpportunitySuggested, OpportunityTaken
from ledger.api.v1.request_pb2 import RequestOpened
from tests.both_clients import Both
from tests.build import timestamp
from tests.server_process import Server

NOW = datetime.now(UTC)


def micros_of(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def client(shared_server: Server, both: Both) -> Any:
    return both(shared_server.target, consistency="latest")


@dataclass
class Desk:
    """Departments that answer one question, a code of its own for each test."""

    client: Any
    key: str

    def code(self, name: str) -> str:
        return f"{name}_{self.key}"

    def says(self, answer: str | None, department: str, channel: str = "phone", ago: timedelta | None = None, **fields: Any) -> str:
        """Let a department answer; return the event's id."""
        given = {"question_key": self.code("runs"), "stance": STATED, **fields}
        late: dict[str, Any] = {} if ago is None else {"occur_time": NOW - ago, "record_late": True}
        one = event(
            AnswerGiven(answer_key=answer, **given) if answer else AnswerGiven(**given),
            department=department,
            channel=channel,
            **late,
        )
        self.client.append(one)
        return one.envelope.event_id


@pytest.fixture
def desk(client: Any) -> Desk:
    return Desk(client, new_id().replace("-", "")[-16:])


def test_two_departments_that_answer_differently_contradict_each_other(client: Any, desk: Desk) -> None:
    question, customer = desk.code("runs"), identifier(("email", f"{desk.key}@example.org"))
    client.append(
        event(ContactReceived(contact_id=f"c-{desk.key}", customer=customer, reason="delivery")),
        event(RequestOpened(request_id=f"r-{desk.key}", contact_id=f"c-{desk.key}")),
    )
    about: dict[str, Any] = {"request_id": f"r-{desk.key}"}
    first = desk.says("in_two_days", "sales", "phone", contact_id=f"c-{desk.key}", text="Within two days, madam.", **about)
    second = desk.says("in_two_weeks", "shipping", "email", **about)
    desk.says("in_two_weeks", "billing", "email")
    position = client.answers(question_keys=question).read_at.position

    (found,) = client.contradictions(question_keys=question)
    shown = client.card(customer).result.last_answers

    assert (first, second) == (found.earlier.event_id, found.later.event_id)
    assert ("sales", "phone", "in_two_days") == (found.earlier.department, found.earlier.channel, found.earlier.answer_key)
    assert (f"r-{desk.key}", "", True) == (found.request_id, found.object_key, found.standing)
    assert (found.later.occur_time, False) == (found.from_time, found.HasField("until_time"))
    assert [second, first] == [one.event_id for one in shown]
    assert "Within two days, madam." == shown[1].text

    desk.says("in_two_weeks", "sales", "phone", **about)

    (ended,) = client.contradictions(question_keys=question)
    assert (False, True) == (ended.standing, ended.HasField("until_time"))
    assert [] == list(client.contradictions(question_keys=question, standing=True))
    assert [True] == [one.standing for one in client.contradictions(question_keys=question, as_of=position)]


def test_equal_objects_of_one_customer_are_compared_though_their_numbers_are_sealed(client: Any, desk: Desk) -> None:
    question, customer = desk.code("runs"), identifier(("email", f"{desk.key}@example.org"))
    parcel: dict[str, Any] = {"customer": customer, "object": ObjectReference(type="parcel", value="LX 4711")}
    desk.says("tomorrow", "sales", **parcel)
    desk.says("next_week", "depot", customer=customer, object=ObjectReference(type="parcel", value="lx  4711"))
    desk.says("never", "billing", customer=customer, object=ObjectReference(type="parcel", value="LX 4712"))

    (found,) = client.contradictions(question_keys=question)

    assert ("tomorrow", "next_week") == (found.earlier.answer_key, found.later.answer_key)
    assert found.subject


def test_a_corrected_answer_contradicts_as_corrected_and_as_of_before_as_it_was_recorded(client: Any, desk: Desk) -> None:
    question = desk.code("runs")
    desk.says("yes", "sales")
    wrong = desk.says("no", "shipping", text="No.")
    position = client.answers(question_keys=question).read_at.position
    said = AnswerGiven(question_key=question, answer_key="yes", stance=STATED, text="Yes.")
    client.append(correction(f"answer-{wrong}", wrong, said, reason="typed_wrongly", department="shipping"))

    now, then = (list(client.answers(question_keys=question, departments="shipping", as_of=when)) for when in (None, position))

    assert [("yes", "Yes.")] == [(one.answer_key, one.text) for one in now]
    assert [("no", "No.")] == [(one.answer_key, one.text) for one in then]
    assert [] == list(client.contradictions(question_keys=question))
    assert 1 == len(list(client.contradictions(question_keys=question, as_of=position)))


def test_what_could_not_be_answered_is_counted_with_why(client: Any, desk: Desk) -> None:
    question = desk.code("runs")
    desk.says(None, "sales", stance=NOT_CONFIRMED, obstacle=NO_ACCESS)
    desk.says(None, "sales", stance=REFERRED)
    desk.says("yes", "sales")

    counted = client.count_answers(["obstacle"], question_keys=question, unanswered=True).result
    listed = list(client.answers(question_keys=question, obstacles="no_access"))

    assert [([""], 1), (["NO_ACCESS"], 1)] == [(list(row.values), row.count) for row in counted.rows]
    assert [NO_ACCESS] == [one.obstacle for one in listed]


def test_a_crisis_with_one_official_answer_shows_who_contradicted_it_on_which_channel(client: Any, desk: Desk) -> None:
    """Alerts by mail and SMS say that no train runs; at the station some confirm it, some do not, some say the contrary."""
    question, official = desk.code("runs"), f"s-{desk.key}"
    station, counter = desk.code("station"), desk.code("counter")
    before = desk.says("yes", station, "counter", ago=timedelta(hours=1))
    client.append(
        event(
            StatementPublished(
                statement_id=official,
                question_key=question,
                answer_key="no",
                valid_from=timestamp(micros_of(NOW - timedelta(hours=2))),
                departments=[station, counter, desk.code("web")],
                text="No train leaves from here before 8 pm.",
            ),
            department="operations",
        ),
        event(StatementAnnounced(statement_id=official, audience="passengers", recipient_count=12_000), channel="sms"),
        event(StatementAnnounced(statement_id=official, recipient_count=9_000), channel="email"),
        event(StatementAcknowledged(statement_id=official), department=counter),
    )
    desk.says("no", counter, "counter")
    contradicting = desk.says("yes", station, "counter")
    desk.says("no", desk.code("web"), "chat")
    desk.says(None, station, "phone", stance=NOT_CONFIRMED)
    unbound = desk.says("yes", "bakery", "counter")

    one = client.statement(official).result
    against = {answer.event_id: answer for answer in client.answers(question_keys=question)}
    counted = client.count_answers(["channel", "verdict"], statement_id=official).result
    knowable = list(client.answers(statement_id=official, verdicts="contradicted", knowable=True))

    assert ("no", True, "No train leaves from here before 8 pm.") == (one.answer_key, one.in_force, one.text)
    assert [counter] == [desk_.department for desk_ in one.acknowledgements]
    assert [station, desk.code("web")] == list(one.missing_departments)
    assert [("sms", 12_000), ("email", 9_000)] == [(sent.channel, sent.recipient_count) for sent in one.announcements]
    assert [
        StatementAnswers(channel="chat", confirmed_count=1),
        StatementAnswers(channel="counter", confirmed_count=1, contradicted_count=2, knowable_count=1),
        StatementAnswers(channel="phone", not_confirmed_count=1, knowable_count=1),
    ] == [_without_zeros(row) for row in one.answers]
    assert (STATEMENT_CONTRADICTED, False) == (against[before].verdict, against[before].knowable)
    assert (STATEMENT_CONTRADICTED, True) == (against[contradicting].verdict, against[contradicting].knowable)
    assert (0, "") == (against[unbound].verdict, against[unbound].statement_id)
    assert {STATEMENT_CONFIRMED, STATEMENT_NOT_CONFIRMED, STATEMENT_CONTRADICTED, 0} == {row.verdict for row in against.values()}
    assert 5 == counted.total
    assert [contradicting] == [answer.event_id for answer in knowable]


def _without_zeros(row: StatementAnswers) -> StatementAnswers:
    kept = StatementAnswers(channel=row.channel)
    for field, value in row.ListFields():
        if value:
            setattr(kept, field.name, value)
    return kept


def test_every_desk_has_one_official_answer_and_hears_when_it_changes(client: Any, desk: Desk) -> None:
    question, first, second = desk.code("runs"), f"s1-{desk.key}", f"s2-{desk.key}"
    start = client.append(
        event(StatementPublished(statement_id=first, question_key=question, answer_key="no"), department="operations")
    )[0].position
    replacing = StatementPublished(
        statement_id=second,
        replaces_statement_id=first,
        question_key=question,
        answer_key="every_hour",
        channels=["counter"],
        valid_until=timestamp(micros_of(datetime.now(UTC) + timedelta(hours=3))),
    )
    client.append(event(replacing, department="operations"))

    asked = {"department": "any_desk", "channel": "counter"}
    now = client.official_answer(question, **asked).result
    then = client.official_answer(question, **asked, as_of=start).result
    later = AsOf(evaluated_time=datetime.now(UTC) + timedelta(days=1))

    assert (second, first) == (now.statement_id, then.statement_id)
    assert (STATEMENT_STATE_REPLACED, second) == (
        (replaced := client.statement(first).result).state,
        replaced.replaced_by_statement_id,
    )
    assert STATEMENT_STATE_PAST == client.statement(second, as_of=later).result.state
    with pytest.raises(NotRecordedError, match="in force"):
        client.official_answer(question, department="any_desk", channel="sms")
    with pytest.raises(NotRecordedError):
        client.official_answer(question, as_of=later)
    assert [second] == [one.statement_id for one in client.statements(question_keys=question, in_force=True)]
    assert 2 == client.count_statements("state", question_keys=question).result.total

    heard = []
    with client.watch_statements(start - 1, question_keys=question) as changes:
        for one in changes:
            heard.append((one.statement_id, one.in_force))
            if len(heard) == 3:
                break
    assert [(first, True), (first, False), (second, True)] == sorted(heard[:2], reverse=True) + heard[2:]


def test_a_withdrawn_statement_is_over_and_takes_no_move(client: Any, desk: Desk) -> None:
    name = f"s-{desk.key}"
    client.append(event(StatementPublished(statement_id=name, question_key=desk.code("runs"), answer_key="no")))
    client.append(event(StatementWithdrawn(statement_id=name, why="It was a rumour.")))

    one = client.statement(name).result

    assert (STATEMENT_STATE_WITHDRAWN, "It was a rumour.", False) == (one.state, one.why, one.in_force)
    with pytest.raises(MoveNotAllowedError, match=f"Statement {name} is withdrawn: statement-acknowledged does not apply"):
        client.append(event(StatementAcknowledged(statement_id=name), department="counter"))


def test_an_opportunity_is_taken_only_with_the_consent_that_a_person_noted(client: Any, desk: Desk) -> None:
    name, customer = f"o-{desk.key}", identifier(("email", f"{desk.key}@example.org"))
    client.append(event(OpportunitySuggested(opportunity_id=name, kind=CROSS_SELL, product="warranty", customer=customer)))
    with pytest.raises(MoveNotAllowedError, match=r"is suggested: opportunity-taken does not .*\(opportunity-noted with consent\)"):
        client.append(event(OpportunityTaken(opportunity_id=name)))
    suggested = client.opportunity(name)
    client.append(event(OpportunityNoted(opportunity_id=name, consent=False, text="He will think about it.")))
    with pytest.raises(MoveNotAllowedError):
        client.append(event(OpportunityTaken(opportunity_id=name)))
    client.append(
        event(OpportunityNoted(opportunity_id=name, consent=True, text="He wants it."), department="sales"),
        event(OpportunityTaken(opportunity_id=name, contact_id=f"c-{desk.key}"), department="sales"),
    )
    with pytest.raises(MoveNotAllowedError, match="is taken"):
        client.append(event(OpportunityDismissed(opportunity_id=name)))

    one = client.opportunity(name).result
    listed = list(client.opportunities(customer=customer, states="taken"))
    counted = client.count_opportunities(["state", "kind"], customer=customer).result

    assert (True, "warranty", "He wants it.", f"c-{desk.key}") == (one.consent, one.product, one.text, one.taken_contact_id)
    assert False is suggested.result.consent
    assert False is client.opportunity(name, as_of=suggested.read_at.position).result.consent
    assert [name] == [other.opportunity_id for other in listed]
    assert [["OPPORTUNITY_STATE_TAKEN", "CROSS_SELL"]] == [list(row.values) for row in counted.rows]


def test_an_improvement_shows_its_evidence_who_solves_it_and_what_came_of_it(client: Any, desk: Desk) -> None:
    name, problem = f"i-{desk.key}", desk.code("address_lost")
    shown_by, unknown = desk.says("yes", "sales"), new_id()
    client.append(
        event(
            ImprovementProposed(
                improvement_id=name,
                problem=problem,
                evidence_event_ids=[shown_by, unknown],
                owner_departments=["sales", "shipping"],
                figure="fact_loss_rate",
                text="The delivery address gets lost between us.",
            ),
            department="sales",
        )
    )

    before = client.improvements(problems=problem, open=True, departments="shipping")
    open_ones = [one.improvement_id for one in before]
    client.append(event(ImprovementClosed(improvement_id=name, effect=EFFECT_BETTER, text="A field for it."), department="sales"))

    one = client.improvement(name).result
    assert [name] == open_ones
    assert [] == list(client.improvements(problems=problem, open=True))
    assert [(shown_by, "answer-given", "sales"), (unknown, "", "")] == [
        (seen.event_id, seen.topic, seen.department) for seen in one.evidence
    ]
    assert (["sales", "shipping"], "fact_loss_rate", EFFECT_BETTER) == (list(one.owner_departments), one.figure, one.effect)
    assert ("The delivery address gets lost between us.", "A field for it.") == (one.text, one.outcome_text)
    assert [name] == [other.improvement_id for other in client.improvements(evidence_event_id=shown_by)]
    counted = client.count_improvements(["problem", "effect"], problems=problem).result
    assert [[problem, "EFFECT_BETTER"]] == [list(row.values) for row in counted.rows]
    with pytest.raises(MoveNotAllowedError, match="is closed"):
        client.append(event(ImprovementClosed(improvement_id=name, effect=EFFECT_BETTER)))
