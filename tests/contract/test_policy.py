"""What the policy in force makes of an event at append: each derivation, and that it stands whatever is published later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.connectors.policy_text import read_policy
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import MOVES, PLAYBOOK, STAYS, Due, Fact, Identifier
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.policy_pb2 import PolicyPublished, PolicyWithdrawn
from ledger.api.v1.promise_pb2 import PromiseDated, PromiseMade, PromiseRenegotiated
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold
from tests.appending import append_one, group, metadata_of, reason_of, to_append
from tests.unit.policy.hours import HOUR, MINUTE, at

DAY = 24 * HOUR
MONDAY = at("2026-03-02T08:00+01:00")
"""When the ledgers of these tests are born."""

POLICY = """
calendars:
  desk: {zone: Europe/Paris, week: {monday-friday: "09:00-12:30, 13:30-18:00"}, holidays: FR}
  night: {zone: Europe/Paris, week: {monday-sunday: "20:00-24:00"}}
default_calendar: desk
departments:
  desk: {calendar: desk}
  sales: {}
  night: {calendar: night}
targets:
  - {kind: first_response, channel: phone, within: 1m}
  - {kind: first_response, channel: email, within: 4h, measure: business}
  - {kind: first_response, channel: email, tier: gold, within: 1h, measure: business}
  - {kind: first_response, channel: email, reason: newsletter, within: none}
handoff_types:
  delivery: {required_facts: [order_number, address], accept_within: 2h, complete_within: 16h, measure: business}
  refund: {required_facts: [iban], facts_mode: enforced}
promise_kinds:
  call_back: {default_due: 2h, measure: business, early_keeps: yes}
reasons:
  outage: {intake_facts: [order_number, phone_model]}
  newsletter: {}
bot_answers: yes
"""


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.micros = MONDAY

    def __call__(self) -> int:
        return self.micros


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def ledger(tmp_path: Path, now: Time) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path, now=now, home_zone="Europe/Paris")
    yield opened
    opened.close()


def policy(text: str = POLICY, version: int = 1, since: int = MONDAY, policy_id: str = "service") -> PolicyPublished:
    said = read_policy(text, "policy.yaml")
    said.end()
    said.published.policy_id, said.published.policy_version = policy_id, version
    said.published.in_force_from.FromMicroseconds(since)
    return said.published


@pytest.fixture
def ruled(ledger: Ledger) -> Ledger:
    """A ledger with the policy above in force."""
    assert "" == append_one(ledger, policy())
    return ledger


def last(ledger: Ledger) -> Event:
    rows = ledger.store.read(0, 10_000)
    return read_event(rows[-1].position, rows[-1].header, rows[-1].parts)


def recorded(ledger: Ledger, payload: Any, **envelope: Any) -> Event:
    """Append an event and return it as recorded."""
    assert "" == append_one(ledger, payload, **envelope)
    return last(ledger)


def email(contact_id: str = "c1", reason: str = "delivery", **fields: Any) -> ContactReceived:
    return ContactReceived(contact_id=contact_id, reason=reason, **fields)


def by(event: Event) -> tuple[str, int]:
    return event.header.policy_id, event.header.policy_version


# Publishing


def test_a_published_policy_carries_its_calendars_as_instants(ruled: Ledger) -> None:
    calendars = last(ruled).payload.policy.calendars

    desk = calendars[0].expanded
    assert ["desk", "night"] == [calendar.calendar for calendar in calendars]
    assert datetime(2025, 3, 1, tzinfo=UTC) == desk.horizon_from.ToDatetime(UTC)
    assert datetime(2029, 3, 4, tzinfo=UTC) == desk.horizon_until.ToDatetime(UTC)
    # The first of March 2025 is a Saturday: closed until Monday 09:00 in Paris.
    assert [2 * 1440 + 8 * 60, 210, 60, 270] == list(desk.step_minutes[:4])


def test_a_policy_with_mistakes_is_refused_with_all_their_places(ledger: Ledger) -> None:
    bad = policy(POLICY.replace("zone: Europe/Paris, week: {monday-sunday", "zone: Europe/Pariss, week: {monday-sunday"))
    bad.policy.default_calendar = "nobody"

    (result,) = ledger.append([group(to_append(bad))])

    assert "POLICY_INVALID" == reason_of(result.error)
    assert "2" == metadata_of(result.error)["mistakes_count"]
    assert "calendars[1].zone: Europe/Pariss is no IANA time zone" in result.error.message
    assert "default_calendar: nobody is no calendar of this policy; there is desk, night" in result.error.message


def test_what_the_ledger_makes_of_a_policy_cannot_be_said(ledger: Ledger) -> None:
    said = policy()
    said.policy.calendars[0].expanded.step_minutes.append(7)

    assert "FIELD_MADE_BY_LEDGER" == append_one(ledger, said)


def test_a_policy_published_again_with_its_id_is_recorded_once(ledger: Ledger) -> None:
    event = to_append(policy())

    results = [ledger.append([group(event)])[0].appended[0] for _ in range(2)]

    assert [False, True] == [result.duplicate for result in results]
    assert 1 == len({result.position for result in results})


def test_one_version_is_published_once(ruled: Ledger) -> None:
    assert "MOVE_NOT_ALLOWED" == append_one(ruled, policy())
    assert "" == append_one(ruled, policy(version=2))


def test_a_withdrawn_version_rules_nothing_from_then_on(ruled: Ledger) -> None:
    before = recorded(ruled, email("c1"), channel="email")

    assert "" == append_one(ruled, PolicyWithdrawn(policy_id="service", policy_version=1, why="A mistake."))

    after = recorded(ruled, email("c2"), channel="email")
    assert [("service", 1), ("default", 1)] == [by(before), by(after)]
    assert MONDAY + DAY == after.payload.response_due_time.ToMicroseconds()


@pytest.mark.parametrize(("version", "reason"), [(1, "MOVE_NOT_ALLOWED"), (2, "REFERENCE_UNKNOWN")])
def test_what_is_not_published_any_more_cannot_be_withdrawn(ruled: Ledger, version: int, reason: str) -> None:
    append_one(ruled, PolicyWithdrawn(policy_id="service", policy_version=1))

    assert reason == append_one(ruled, PolicyWithdrawn(policy_id="service", policy_version=version))


def test_a_policy_rules_what_follows_it_in_its_own_batch(ledger: Ledger) -> None:
    ledger.append([group(to_append(policy())), group(to_append(email(), channel="email"))])

    assert ("service", 1) == by(last(ledger))


def test_a_policy_whose_group_is_refused_rules_nothing(ledger: Ledger) -> None:
    refused = group(to_append(policy()), to_append(HandoffOffered(request_id="r", handoff_id="h")))

    first, _ = ledger.append([refused, group(to_append(email(), channel="email"))])

    assert first.HasField("error")
    assert ("default", 1) == by(last(ledger))


def test_a_policy_is_known_again_when_the_ledger_is_opened_again(tmp_path: Path, now: Time) -> None:
    first = Ledger.open(tmp_path, now=now)
    append_one(first, policy())
    append_one(first, policy(version=2))
    append_one(first, PolicyWithdrawn(policy_id="service", policy_version=2))
    first.close()

    again = Ledger.open(tmp_path, now=now)
    received = recorded(again, email(), channel="email")
    again.close()

    assert ("service", 1) == by(received)


# Which policy rules an event


def test_a_policy_in_force_later_rules_what_occurs_then(ledger: Ledger, now: Time) -> None:
    append_one(ledger, policy(since=MONDAY + HOUR))

    before = recorded(ledger, email("c1"), channel="email")
    now.micros += HOUR
    after = recorded(ledger, email("c2"), channel="email")

    assert [("default", 1), ("service", 1)] == [by(before), by(after)]


def test_a_policy_published_for_the_past_touches_nothing_recorded(ledger: Ledger, now: Time) -> None:
    before = recorded(ledger, email("c1"), channel="email")
    now.micros += HOUR
    append_one(ledger, policy(since=MONDAY - 100 * DAY))
    append_one(ledger, policy("targets: [{kind: first_response, channel: email, within: 9h}]", 2, MONDAY))

    late = recorded(ledger, email("c2"), channel="email", occur=MONDAY + MINUTE, record_late=True)

    (first,) = (read_event(row.position, row.header) for row in ledger.store.read_stream("contact-c1"))
    assert (("default", 1), MONDAY + DAY) == (by(first), before.payload.response_due_time.ToMicroseconds())
    assert (("service", 2), MONDAY + MINUTE + 9 * HOUR) == (by(late), late.payload.response_due_time.ToMicroseconds())


# Response targets


def test_a_response_is_due_in_business_time_of_the_department(ruled: Ledger) -> None:
    received = recorded(ruled, email(), channel="email", department="desk")

    # Four hours from 09:00, with lunch between.
    assert at("2026-03-02T14:00+01:00") == received.payload.response_due_time.ToMicroseconds()
    assert (True, ("service", 1)) == (received.payload.bot_answers, by(received))


def test_a_response_of_another_department_is_due_in_its_hours(ruled: Ledger) -> None:
    received = recorded(ruled, email(), channel="email", department="night")

    assert at("2026-03-03T00:00+01:00") == received.payload.response_due_time.ToMicroseconds()


def test_a_response_is_due_by_the_clock_where_the_target_says_so(ruled: Ledger) -> None:
    received = recorded(ruled, email(), channel="phone", department="desk")

    assert MONDAY + MINUTE == received.payload.response_due_time.ToMicroseconds()


@pytest.mark.parametrize(("channel", "reason"), [("letter", "delivery"), ("email", "newsletter")])
def test_a_contact_without_a_target_is_untargeted(ruled: Ledger, channel: str, reason: str) -> None:
    received = recorded(ruled, email(reason=reason), channel=channel)

    assert not received.payload.HasField("response_due_time")
    assert ("", 0) == by(received)


ANNE = Identifier(type="email", value="anne@example.org")
FOUR_HOURS, ONE_HOUR = at("2026-03-02T14:00+01:00"), at("2026-03-02T10:00+01:00")


def due_of(ledger: Ledger, contact_id: str, **envelope: Any) -> int:
    received = recorded(ledger, email(contact_id, customer=ANNE), channel="email", **envelope)
    return int(received.payload.response_due_time.ToMicroseconds())


def test_a_tier_has_its_own_target_from_when_the_customer_has_it(ruled: Ledger, now: Time) -> None:
    before = due_of(ruled, "c1")
    now.micros += 10 * MINUTE
    append_one(ruled, CustomerClassified(customer=ANNE, tier="gold"))

    assert [FOUR_HOURS, ONE_HOUR] == [before, due_of(ruled, "c2")]
    # As of then: what occurred before it was classified has the target of that time.
    assert FOUR_HOURS == due_of(ruled, "c3", occur=MONDAY, record_late=True)


def test_a_tier_is_known_again_when_the_ledger_is_opened_again(tmp_path: Path, now: Time) -> None:
    first = Ledger.open(tmp_path, now=now)
    append_one(first, CustomerClassified(customer=ANNE, tier="gold"))
    append_one(first, policy())
    first.close()

    again = Ledger.open(tmp_path, now=now)
    dues = [due_of(again, "c1")]
    append_one(again, CustomerClassified(customer=ANNE, tier="silver"))
    dues.append(due_of(again, "c2"))
    again.close()

    assert [ONE_HOUR, FOUR_HOURS] == dues


def test_a_tier_of_a_group_that_is_refused_counts_for_nobody(ruled: Ledger) -> None:
    due_of(ruled, "c1")
    refused = group(
        to_append(CustomerClassified(customer=ANNE, tier="gold")), to_append(HandoffOffered(request_id="r", handoff_id="h"))
    )

    first, second = ruled.append([refused, group(to_append(email("c2", customer=ANNE), channel="email"))])

    assert (True, False) == (first.HasField("error"), second.HasField("error"))
    assert FOUR_HOURS == last(ruled).payload.response_due_time.ToMicroseconds()


# Handoffs


def offer(type: str = "delivery", handoff_id: str = "h1", keys: tuple[str, ...] = (), **fields: Any) -> HandoffOffered:
    return HandoffOffered(
        request_id="r1",
        handoff_id=handoff_id,
        type=type,
        from_department="sales",
        to_department="desk",
        ownership=STAYS,
        facts=[Fact(key=key, value="17") for key in keys],
        **fields,
    )


@pytest.fixture
def request_of_sales(ruled: Ledger) -> Ledger:
    append_one(ruled, RequestOpened(request_id="r1", owner_department="sales"), department="sales")
    return ruled


def test_a_handoff_has_the_terms_of_its_type_in_the_hours_of_the_receiver(request_of_sales: Ledger) -> None:
    offered = recorded(request_of_sales, offer(keys=("order_number", "address")), department="sales")

    payload = offered.payload
    assert at("2026-03-02T11:00+01:00") == payload.default_accept_by.ToMicroseconds()
    assert at("2026-03-03T18:00+01:00") == payload.default_complete_by.ToMicroseconds()
    assert ([], ("service", 1)) == (list(payload.missing_required_keys), by(offered))


def test_a_term_that_is_said_stands(request_of_sales: Ledger) -> None:
    said = offer()
    said.accept_by.FromMicroseconds(MONDAY + MINUTE)

    payload = recorded(request_of_sales, said, department="sales").payload

    assert (False, True) == (payload.HasField("default_accept_by"), payload.HasField("default_complete_by"))
    state = state_of(request_of_sales, "request-r1")
    assert (MONDAY + MINUTE, at("2026-03-03T18:00+01:00")) == (state.handoffs["h1"].accept_by, state.handoffs["h1"].complete_by)


def state_of(ledger: Ledger, stream: str) -> Any:
    """Return the fold of a stream."""
    events = [read_event(row.position, row.header) for row in ledger.store.read_stream(stream)]
    return fold(FAMILIES[stream.partition("-")[0]], events).state


def test_an_offer_that_lacks_facts_is_marked_with_them(request_of_sales: Ledger) -> None:
    offered = recorded(request_of_sales, offer(keys=("order_number",)), department="sales")

    assert ["address"] == list(offered.payload.missing_required_keys)
    state = state_of(request_of_sales, "request-r1")
    assert ("address",) == state.handoffs["h1"].missing_keys


def test_an_offer_that_lacks_facts_is_refused_where_they_are_enforced(request_of_sales: Ledger) -> None:
    (result,) = request_of_sales.append([group(to_append(offer("refund"), department="sales"))])

    assert "FACTS_MISSING" == reason_of(result.error)
    assert ("refund", "iban", "service") == tuple(metadata_of(result.error)[key] for key in ("type", "missing_keys", "policy_id"))
    assert "" == append_one(request_of_sales, offer("refund", keys=("iban",)), department="sales")


def test_an_imported_or_late_offer_is_marked_and_never_refused(request_of_sales: Ledger) -> None:
    offered = recorded(request_of_sales, offer("refund"), department="sales", record_late=True)

    assert ["iban"] == list(offered.payload.missing_required_keys)


def test_a_type_that_the_policy_does_not_know_has_no_rules(request_of_sales: Ledger) -> None:
    offered = recorded(request_of_sales, offer("gift"), department="sales")

    assert ("", 0) == by(offered)


# Requests


def test_a_request_is_asked_for_the_facts_of_its_reason(ruled: Ledger) -> None:
    opened = recorded(ruled, RequestOpened(request_id="r1", reason="outage", intake_facts=[Fact(key="order_number", value="4711")]))

    assert (["phone_model"], ("service", 1)) == (list(opened.payload.keys_not_taken), by(opened))


def test_missing_facts_that_the_caller_names_stand(ruled: Ledger) -> None:
    opened = recorded(ruled, RequestOpened(request_id="r1", reason="outage", missing_intake_keys=["serial"]))

    assert ([], ("", 0)) == (list(opened.payload.keys_not_taken), by(opened))


# Promises


def test_a_promise_without_a_date_has_the_default_of_its_kind(ruled: Ledger) -> None:
    made = recorded(ruled, PromiseMade(promise_id="p1", kind="call_back", owner_department="desk"))

    assert at("2026-03-02T11:00+01:00") == made.payload.default_due_time.ToMicroseconds()
    state = state_of(ruled, "promise-p1")
    assert (at("2026-03-02T11:00+01:00"), None, True) == (state.due_time, state.first_due_time, state.early_keeps)


@pytest.mark.parametrize("fields", [{"due": Due(local="2026-03-09T10:00")}, {"condition": "When the part is here."}])
def test_a_promise_with_a_date_or_a_condition_needs_no_default(ruled: Ledger, fields: dict[str, Any]) -> None:
    made = recorded(ruled, PromiseMade(promise_id="p1", kind="call_back", **fields))

    assert not made.payload.HasField("default_due_time")


def test_a_promise_of_another_kind_is_undated(ruled: Ledger) -> None:
    made = recorded(ruled, PromiseMade(promise_id="p1", kind="visit"))

    assert (False, ("", 0)) == (made.payload.HasField("default_due_time"), by(made))


@pytest.mark.parametrize(
    ("department", "day", "expected"),
    [
        ("desk", "2026-03-03", "2026-03-03T18:00+01:00"),
        ("night", "2026-03-03", "2026-03-04T00:00+01:00"),
        # Without a calendar of its own: the default one. On a day that never opens: the end of the day.
        ("sales", "2026-03-03", "2026-03-03T18:00+01:00"),
        ("desk", "2026-03-08", "2026-03-09T00:00+01:00"),
        ("desk", "2026-05-01", "2026-05-02T00:00+02:00"),
    ],
)
def test_a_date_alone_is_the_end_of_the_owners_opening_hours(ruled: Ledger, department: str, day: str, expected: str) -> None:
    made = recorded(ruled, PromiseMade(promise_id="p1", kind="visit", owner_department=department, due=Due(local=day)))

    assert (at(expected), day) == (made.payload.due.due_time.ToMicroseconds(), made.payload.due.local)


def test_a_date_said_later_is_the_end_of_the_owners_hours_too(ruled: Ledger) -> None:
    append_one(ruled, PromiseMade(promise_id="p1", kind="visit", owner_department="desk"))

    dated = recorded(ruled, PromiseDated(promise_id="p1", due=Due(local="2026-03-03")))
    moved = recorded(ruled, PromiseRenegotiated(promise_id="p1", due=Due(local="2026-03-04"), customer_told=True))

    assert [at("2026-03-03T18:00+01:00"), at("2026-03-04T18:00+01:00")] == [
        one.payload.due.due_time.ToMicroseconds() for one in (dated, moved)
    ]


def test_a_time_that_is_said_is_not_moved_to_the_opening_hours(ruled: Ledger) -> None:
    made = recorded(ruled, PromiseMade(promise_id="p1", kind="visit", owner_department="desk", due=Due(local="2026-03-03T21:00")))

    assert (at("2026-03-03T21:00+01:00"), ("", 0)) == (made.payload.due.due_time.ToMicroseconds(), by(made))


def test_without_a_calendar_a_date_alone_is_the_end_of_the_day(ledger: Ledger) -> None:
    made = recorded(ledger, PromiseMade(promise_id="p1", kind="visit", due=Due(local="2026-03-03")))

    assert at("2026-03-04T00:00+01:00") == made.payload.due.due_time.ToMicroseconds()


@pytest.mark.parametrize(
    "payload",
    [
        PromiseMade(promise_id="p1", kind="call_back"),
        PromiseMade(promise_id="p1", kind="visit", due=Due(local="2026-03-03"), owner_department="desk"),
        RequestOpened(request_id="r1", reason="outage"),
        email(),
    ],
    ids=lambda payload: payload.DESCRIPTOR.name,
)
def test_what_the_policy_filled_in_does_not_make_an_event_another_one(ruled: Ledger, payload: Any) -> None:
    event = to_append(payload, channel="email")

    results = [ruled.append([group(event)])[0].appended[0] for _ in range(2)]

    assert [False, True] == [result.duplicate for result in results]


# Departments


def unknown(ledger: Ledger) -> bool:
    return bool(last(ledger).header.department_unknown)


def test_a_department_that_the_policy_does_not_name_is_listed(ruled: Ledger) -> None:
    append_one(ruled, email("c1"), channel="email", department="desk")
    known = unknown(ruled)
    append_one(ruled, email("c2"), channel="email", department="desc")

    assert [False, True] == [known, unknown(ruled)]


@pytest.mark.parametrize(
    "payload",
    [
        RequestOpened(request_id="r1", owner_department="desc"),
        PromiseMade(promise_id="p1", kind="visit", owner_department="desc"),
        PromiseMade(promise_id="p1", kind="visit", promising_department="desc"),
    ],
)
def test_every_field_that_names_a_department_is_looked_at(ruled: Ledger, payload: Any) -> None:
    append_one(ruled, payload, department="desk")

    assert unknown(ruled)


@pytest.fixture
def strict(ledger: Ledger) -> Ledger:
    """A ledger whose policy refuses unknown departments."""
    append_one(ledger, policy(POLICY + "\nunknown_departments: refused\n"))
    return ledger


def test_a_department_that_the_policy_does_not_name_is_refused_where_it_says_so(strict: Ledger) -> None:
    (result,) = strict.append([group(to_append(email(), department="desc"))])

    assert "DEPARTMENT_UNKNOWN" == reason_of(result.error)
    assert ("desc", "department") == tuple(metadata_of(result.error)[key] for key in ("department", "field"))
    assert "" == append_one(strict, email(), department="desk")


def test_late_records_and_imports_are_never_refused_for_a_department(strict: Ledger) -> None:
    append_one(strict, ImportStarted(run_id="run-1", from_source="crm", answers_recorded=True), department="elsewhere")

    assert "" == append_one(strict, email("c1"), department="desc", record_late=True)
    assert "" == append_one(strict, email("c2"), department="desc", import_run="run-1")
    assert unknown(strict)


def test_without_departments_nothing_is_unknown(ledger: Ledger) -> None:
    append_one(ledger, email(), department="anything")

    assert not unknown(ledger)


# Imports


@pytest.mark.parametrize("answers_recorded", [False, True])
def test_nothing_is_derived_for_an_import_that_does_not_say_when_things_were_answered(
    request_of_sales: Ledger, answers_recorded: bool
) -> None:
    append_one(request_of_sales, ImportStarted(run_id="run-1", from_source="crm", answers_recorded=answers_recorded))

    received = recorded(request_of_sales, email(), channel="email", import_run="run-1")
    offered = recorded(request_of_sales, offer(), department="sales", import_run="run-1")
    made = recorded(request_of_sales, PromiseMade(promise_id="p1", kind="call_back"), import_run="run-1")

    assert [answers_recorded] * 3 == [
        received.payload.HasField("response_due_time"),
        bool(offered.payload.missing_required_keys),
        made.payload.HasField("default_due_time"),
    ]


def test_nothing_is_derived_for_what_occurred_before_the_first_policy(ruled: Ledger) -> None:
    received = recorded(ruled, email(), channel="email", occur=MONDAY - DAY, record_late=True)

    assert not received.payload.HasField("response_due_time")


def test_a_handoff_that_moves_keeps_the_terms_of_its_offer(request_of_sales: Ledger, now: Time) -> None:
    said = offer()
    said.ownership = MOVES
    recorded(request_of_sales, said, department="sales")
    now.micros += HOUR
    append_one(request_of_sales, policy("targets: []", version=2, since=MONDAY))

    state = state_of(request_of_sales, "request-r1")

    assert at("2026-03-02T11:00+01:00") == state.handoffs["h1"].accept_by


def test_what_a_playbook_does_is_marked_and_never_refused(tmp_path: Path, now: Time) -> None:
    ledger = Ledger.open(tmp_path, now=now)
    append_one(ledger, policy(POLICY + "\nunknown_departments: refused\n"))
    append_one(ledger, RequestOpened(request_id="r1", owner_department="sales"), department="sales")
    offered = offer("refund")
    offered.from_department = "elsewhere"

    reason = append_one(ledger, offered, internal=True, actor_kind=PLAYBOOK)

    recorded_as = last(ledger)
    ledger.close()
    assert ("", ["iban"], True) == (reason, list(recorded_as.payload.missing_required_keys), recorded_as.header.department_unknown)
