"""The shipped mappings and their data, without a server: counted independently of the importer, folded by the ledger's own rules.

The same figures, asked of a real server, stand in tests/end_to_end/test_import_data.py.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PROMISE_STATE_KEPT_LATE, PROMISE_STATE_OPEN
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_CLOSED
from ledger.event import Event
from tests.unit.connectors.offline import DATA, FILES, shipped, states

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"THE REAL DATA IS NOT HERE: {DATA} is missing, so no shipped mapping is tested."),
]

APRIL = datetime(2016, 4, 1, tzinfo=UTC)


class Handoffs(NamedTuple):
    offered: int
    accepted: int
    withdrawn: int
    pending: Counter[str]


@pytest.fixture(scope="module")
def incidents() -> dict[str, list[Event]]:
    return shipped("incidents")


@pytest.fixture(scope="module")
def boston() -> dict[str, list[Event]]:
    return shipped("boston311")


def time_of(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def incident_rows() -> dict[str, list[dict[str, str]]]:
    """Read the file with the standard library alone, as the README of the data says: cases in order."""
    cases: dict[str, list[tuple[datetime, int, int, dict[str, str]]]] = defaultdict(list)
    with zipfile.ZipFile(FILES["incidents"]) as archive, archive.open(archive.namelist()[0]) as inside:
        for number, row in enumerate(csv.DictReader(io.TextIOWrapper(inside))):
            cases[row["number"]].append((time_of(row["sys_updated_at"]), int(row["sys_mod_count"]), number, row))
    return {case: [row for *_, row in sorted(rows, key=lambda one: one[:3])] for case, rows in cases.items()}


def counted(before: datetime | None = None) -> Handoffs:
    """Count handoffs by the words of the README, in plain Python."""
    offered = accepted = withdrawn = 0
    pending_in: Counter[str] = Counter()
    for rows in incident_rows().values():
        group, pending = "?", ""
        for row in rows:
            if before is not None and time_of(row["sys_updated_at"]) >= before:
                break
            new = row["assignment_group"]
            if new != group:
                withdrawn += bool(pending)
                pending = new if "?" not in (group, new) else ""
                offered += bool(pending)
            if pending and row["assigned_to"] != "?":
                accepted, pending = accepted + 1, ""
            if pending and row["ident_state"] == "Closed":
                withdrawn, pending = withdrawn + 1, ""
            group = new
        if pending:
            pending_in[pending] += 1
    return Handoffs(offered, accepted, withdrawn, pending_in)


def test_incidents_give_the_handoffs_that_plain_python_counts(incidents: dict[str, list[Event]]) -> None:
    expected = counted()

    handoffs = [one for state in states(incidents, "request")[0] for one in state.handoffs.values()]

    assert (17_914, 13_905, 4_009) == expected[:3]
    accepted = sum(one.ever_accepted for one in handoffs)
    assert expected[:3] == (len(handoffs), accepted, len(handoffs) - accepted)
    assert 0 == sum(expected.pending.values()) == sum(one.pending for one in handoffs)


def test_incidents_as_they_stood_before_april(incidents: dict[str, list[Event]]) -> None:
    expected = counted(APRIL)
    before = int(APRIL.timestamp()) * 1_000_000

    found, _ = states(incidents, "request", before)

    pending = Counter(one.to_department.removeprefix("group_") for state in found for one in state.handoffs.values() if one.pending)
    assert expected.pending == pending
    assert (151, 65, 27, 10) == (pending.total(), pending["72"], pending["70"], pending["9"])
    assert 3_353 == sum(state.state != REQUEST_STATE_CLOSED for state in found)


def test_incidents_end_closed_and_what_does_not_apply_is_a_group_that_came_back(incidents: dict[str, list[Event]]) -> None:
    found, ineffective = states(incidents, "request")

    assert 24_918 == len(found) == sum(state.state == REQUEST_STATE_CLOSED for state in found)
    assert {"request-assigned": 1_079} == Counter(event.topic for event in ineffective)
    assert all(event.payload.department for event in ineffective)


def test_incidents_are_reopened_as_often_as_the_file_says(incidents: dict[str, list[Event]]) -> None:
    whys = Counter(
        event.payload.why.partition(" ")[0]
        for events in incidents.values()
        for event in events
        if event.topic == "request-reopened"
    )

    assert {"Resolved": 320, "Closed": 12} == whys
    assert 332 == sum(state.reopened_count for state in states(incidents, "request")[0])


def test_incidents_say_who_called_how_and_whether_the_level_was_met(incidents: dict[str, list[Event]]) -> None:
    contacts, ineffective = states(incidents, "contact")

    received = [event.payload for events in incidents.values() for event in events if event.topic == "contact-received"]
    custom = Counter(event.payload.type for events in incidents.values() for event in events if event.topic == "custom-recorded")
    assert [] == ineffective
    assert 5_244 == len({one.customer.value for one in received if one.HasField("customer")})
    assert {"phone": 24_684, "web_form": 161, "email": 61, "ivr": 9, "direct_opening": 3} == Counter(
        one.channel for one in contacts
    )
    assert {"sla_met": 15_803, "sla_missed": 9_115, "closing_undone": 65, "caller_changed": 4} == custom


def test_requests_of_boston_give_the_figures_of_the_city(boston: dict[str, list[Event]]) -> None:
    contacts, no_contacts = states(boston, "contact")
    requests, no_requests = states(boston, "request")
    promises, no_promises = states(boston, "promise")

    assert [] == no_contacts + no_requests + no_promises
    assert {
        "constituent_call": 17_079,
        "citizens_connect_app": 2_806,
        "city_worker_app": 1_252,
        "employee_generated": 610,
        "self_service": 307,
        "twitter": 24,
    } == Counter(one.channel for one in contacts)
    assert 39 == sum(not one.identified for one in contacts)
    assert {"pwdx": 9_396, "info": 7_994, "isd": 3_036, "anml": 1_562, "park": 86, "btdt": 3, "bwsc": 1} == Counter(
        one.owner_department for one in requests
    )
    assert {PROMISE_STATE_KEPT: 10_821, PROMISE_STATE_KEPT_LATE: 390, PROMISE_STATE_OPEN: 1_566} == Counter(
        one.state for one in promises
    )


def test_addresses_of_boston_are_as_many_as_the_file_has(boston: dict[str, list[Event]]) -> None:
    received = [event.payload for events in boston.values() for event in events if event.topic == "contact-received"]

    assert 16_198 == len({one.customer.value for one in received if one.HasField("customer")})
