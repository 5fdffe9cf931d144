"""Both sets of real data in one ledger, through the real server: every figure of their README, asked over gRPC; twice.

The data stands beside the repository, in ../shared/data. Without it these tests skip, loudly.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from clients.connectors.importer import run_import, shipped_mappings
from clients.connectors.tally import Summary
from clients.python import AsOf, Client
from tests import plain_figures
from tests.server_process import Server
from tests.unit.connectors.offline import DATA, FILES

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"THE REAL DATA IS NOT HERE: {DATA} is missing, so no figure of it is checked."),
]

BROKEN_SECONDS_MAX: Final = 900
APRIL: Final = AsOf(occurred_before=datetime(2016, 4, 1, tzinfo=UTC))
CHANNELS: Final = {
    "constituent_call": 17_079,
    "citizens_connect_app": 2_806,
    "city_worker_app": 1_252,
    "employee_generated": 610,
    "self_service": 307,
    "twitter": 24,
    "phone": 24_684,
    "web_form": 161,
    "email": 61,
    "ivr": 9,
    "direct_opening": 3,
}
DEPARTMENTS: Final = {"pwdx": 9_396, "info": 7_994, "isd": 3_036, "anml": 1_562, "park": 86, "btdt": 3, "bwsc": 1}


@dataclass
class Imported:
    """A ledger with both sets, and how the imports went."""

    target: str
    folder: Path
    client: Client
    summaries: dict[str, Summary]

    def again(self, name: str) -> Summary:
        return run_import(FILES[name], shipped_mappings()[name], target=self.target, reject_path=self.folder / f"{name}.rejects")

    def figures(self) -> dict[str, Any]:
        """Ask for every figure."""
        client = self.client
        promises = rows(client.count_promises("state").result)
        return {
            "contacts by channel": rows(client.count_contacts("channel").result),
            "contacts without an identifier": rows(client.count_contacts("identified").result).get("false"),
            "requests": client.count_requests().result.total,
            "requests by owner": {k: v for k, v in rows(client.count_requests("owner").result).items() if k in DEPARTMENTS},
            "requests not closed in April": client.count_requests(as_of=APRIL, states=["open", "waiting", "resolved"]).result.total
            - boston_not_closed(client),
            "handoffs": client.count_handoffs().result.total,
            "handoffs by acceptance": rows(client.count_handoffs("ever_accepted").result),
            "handoffs by state": rows(client.count_handoffs("state").result),
            "handoffs pending in April": rows(client.count_handoffs("to_department", as_of=APRIL, pending=True).result),
            "promises": sum(promises.values()),
            "promises by state": promises,
            "reopened": Counter(
                event.payload.request_reopened.why.partition(" ")[0] for event in client.read_events(topics="request-reopened")
            ),
            "own types": Counter(event.payload.custom_recorded.type for event in client.read_events(topics="custom-recorded")),
            "irregular": {row.values[0]: row.count for row in client.data_quality("irregular").first.result.counts}.get(
                "IRREGULAR"
            ),
        }


def rows(counted: Any) -> dict[str, int]:
    """Return the rows of a count by one thing."""
    return {row.values[0]: row.count for row in counted.rows}


def boston_not_closed(client: Client) -> int:
    """Return how many of Boston's requests were not closed before April 2016: they stand in the same ledger."""
    not_closed = client.count_requests("owner", as_of=APRIL, states=["open", "waiting", "resolved"]).result
    return sum(count for owner, count in rows(not_closed).items() if owner in DEPARTMENTS)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    folder = tmp_path_factory.mktemp("imported")
    server = Server(folder / "data").start()
    try:
        with Client(server.target, consistency="latest", timeout_seconds=120) as client:
            made = Imported(server.target, folder, client, {})
            for name in FILES:
                made.summaries[name] = made.again(name)
            wait_for_the_clock(client)
            yield made
    finally:
        server.stop()


def wait_for_the_clock(client: Client) -> None:
    """Wait until the ledger's clock has recorded every breach of the run that has finished."""
    end_time = time.monotonic() + BROKEN_SECONDS_MAX
    while client.count_promises(states="broken").result.total < 1_566:
        assert time.monotonic() < end_time, rows(client.count_promises("state").result)
        time.sleep(0.5)


def test_both_sets_are_imported_whole(imported: Imported) -> None:
    incidents, boston = imported.summaries["incidents"].tally, imported.summaries["boston311"].tally

    assert (141_712, 0, 0) == (incidents.rows_read, incidents.rows_rejected, incidents.events_duplicate)
    assert (22_078, 0, 0) == (boston.rows_read, boston.rows_rejected, boston.events_duplicate)


def test_incidents_were_received_by_their_channels_and_requests_of_boston_by_theirs(imported: Imported) -> None:
    assert CHANNELS == rows(imported.client.count_contacts("channel").result)


def test_callers_and_addresses_are_customers_and_what_has_none_is_anonymous(imported: Imported) -> None:
    received = [event.payload.contact_received for event in imported.client.read_events(topics="contact-received")]

    customers = Counter(
        kind for kind, _ in {(one.customer.type, one.customer.subject) for one in received if one.HasField("customer")}
    )
    assert {"caller": 5_244, "address": 16_198} == customers
    assert {"true": 24_915 + 22_039, "false": 3 + 39} == rows(imported.client.count_contacts("identified").result)


def test_there_is_a_request_for_each_row_of_boston_and_for_each_incident(imported: Imported) -> None:
    by_owner = rows(imported.client.count_requests("owner").result)

    assert DEPARTMENTS == {owner: count for owner, count in by_owner.items() if owner in DEPARTMENTS}
    assert 24_918 == sum(count for owner, count in by_owner.items() if owner not in DEPARTMENTS)


def test_handoffs_were_offered_accepted_and_withdrawn_and_none_is_pending(imported: Imported) -> None:
    client = imported.client

    assert 17_914 == client.count_handoffs().result.total
    assert {"true": 13_905, "false": 4_009} == rows(client.count_handoffs("ever_accepted").result)
    assert 4_009 == client.count_handoffs(states="withdrawn").result.total
    assert 0 == client.count_handoffs(pending=True).result.total


def test_handoffs_were_pending_before_april_as_they_had_happened_by_then(imported: Imported) -> None:
    counted = imported.client.count_handoffs("to_department", as_of=APRIL, pending=True).result

    assert 151 == counted.total
    assert {"group_72": 65, "group_70": 27, "group_9": 10} == dict(list(rows(counted).items())[:3])


def test_requests_were_open_before_april_as_they_had_happened_by_then(imported: Imported) -> None:
    client = imported.client

    not_closed = client.count_requests("owner", as_of=APRIL, states=["open", "waiting", "resolved"]).result

    assert 3_353 == not_closed.total - boston_not_closed(client)


def test_resolved_incidents_became_active_again(imported: Imported) -> None:
    events = imported.client.read_events(topics="request-reopened")

    assert {"Resolved": 320, "Closed": 12} == Counter(event.payload.request_reopened.why.partition(" ")[0] for event in events)
    assert 332 == sum(request.reopened_count for request in imported.client.requests(reopened=True, page_size=500))


def test_the_service_level_was_met_or_missed_by_the_word_of_the_source(imported: Imported) -> None:
    types = Counter(event.payload.custom_recorded.type for event in imported.client.read_events(topics="custom-recorded"))

    assert (15_803, 9_115) == (types["sla_met"], types["sla_missed"])


def test_promises_of_boston_were_kept_kept_late_or_broken(imported: Imported) -> None:
    counted = imported.client.count_promises("state").result

    assert 12_777 == counted.total
    assert {"KEPT": 10_821, "KEPT_LATE": 390, "BROKEN": 1_566} == {
        state.removeprefix("PROMISE_STATE_"): count for state, count in rows(counted).items()
    }


def test_the_promise_kept_rate_of_boston_leaves_out_requests_that_carry_no_promise(imported: Imported) -> None:
    (rate,) = imported.client.figures("promise_kept_rate").result.figures[0].rows

    plain = sum(plain_figures.boston_promises(FILES["boston311"]).values(), Counter())
    decided = plain["kept"] + plain["kept_late"] + plain["broken"]
    assert (10_821, 390, 1_566) == (plain["kept"], plain["kept_late"], plain["broken"])
    assert {name: plain[name] for name in ("kept", "kept_late", "broken")} == {
        part.name: part.value for part in rate.parts if part.name in ("kept", "kept_late", "broken")
    }
    assert (plain["kept"] / decided, decided) == (rate.value, rate.member_count)
    # With them, as the city counts, it is 0.91 instead of 0.85: what has no promise is on time there.
    requests = imported.client.count_requests(owner_departments=list(DEPARTMENTS)).result.total
    assert plain["on_time"] / requests == (rate.value * decided + requests - decided) / requests


def test_promises_of_boston_by_department_and_volumes_by_channel_are_figures_too(imported: Imported) -> None:
    answer = imported.client.figures(["promise_kept_rate", "handoff_acceptance"], by="department").result
    volume = imported.client.figures("volume", by="channel").result.figures[0]

    plain = plain_figures.boston_promises(FILES["boston311"])
    carried = {name: one["kept"] + one["kept_late"] + one["broken"] for name, one in plain.items()}
    expected = {name: plain[name]["kept"] / count for name, count in carried.items() if count}
    assert expected == {row.values[0]: row.value for row in answer.figures[0].rows}
    offered = sum(part.value for row in answer.figures[1].rows for part in row.parts if part.name == "offered")
    assert (17_914, 13_905) == (offered, sum(row.member_count for row in answer.figures[1].rows))
    assert CHANNELS == {row.values[0]: row.value for row in volume.rows}


def test_figures_of_boston_follow_the_position_and_the_time_asked_for(imported: Imported) -> None:
    client = imported.client
    year = {"names": "promise_kept_rate", "from_local": "2014-01-01", "to_local": "2015-01-01", "zone": "America/New_York"}
    head = client.head().position

    now, exact, known = (client.figures(**year, **how).result for how in ({}, {"exact": True}, {"as_of": head}))
    half = client.figures(**year, as_of=head // 2).result

    assert now.figures[0].rows == exact.figures[0].rows == known.figures[0].rows
    assert half.figures[0].rows != now.figures[0].rows


def test_what_does_not_apply_is_shown_as_irregular_and_is_a_group_that_came_back(imported: Imported) -> None:
    findings = list(imported.client.data_quality("irregular", page_size=500))

    assert {"request-assigned": 1_079} == Counter(finding.topic for finding in findings)
    assert 1_079 == imported.summaries["incidents"].tally.events_irregular


@pytest.mark.parametrize("same_reason", [True, False])
def test_repeat_contacts_of_boston_are_those_of_plain_csv_reading(imported: Imported, same_reason: bool) -> None:
    window = timedelta(days=30)

    repeats = imported.client.repeats(window=window, any_reason=not same_reason, page_size=500)

    expected = plain_figures.boston_repeats(FILES["boston311"], window, same_reason=same_reason)
    assert {True: 1_769, False: 2_290}[same_reason] == expected
    assert expected == sum(repeat.contact_id.startswith("bos-") for repeat in repeats)


def test_variants_pairs_and_reopenings_of_incidents_are_those_of_plain_csv_reading(imported: Imported) -> None:
    period = imported.client.journeys(top=500).result.period

    plain = plain_figures.incidents(FILES["incidents"])
    variants = plain.variants + plain_figures.boston_departments(FILES["boston311"])
    pairs = sorted(plain.pairs.items(), key=lambda item: (-item[1], item[0]))
    assert (24_918, 2_439, 1_045) == (plain.variants.total(), len(plain.variants), len(plain.pairs))
    assert len(variants) == period.variant_count
    assert [(variants[tuple(one.sequence)], 500) for one in period.variants] == [
        (one.request_count, len(period.variants)) for one in period.variants
    ]
    assert len(pairs) == period.pair_count
    assert [(pair, count, plain.accepted[pair]) for pair, count in pairs[:500]] == [
        ((pair.from_department, pair.to_department), pair.handoff_count, pair.accepted_count) for pair in period.pairs
    ]
    assert (len(plain.reopened), plain.reopened.total()) == (period.reopened_request_count, period.reopening_count)


@pytest.mark.parametrize("name", list(FILES))
def test_importing_twice_changes_nothing(imported: Imported, name: str) -> None:
    before, head = imported.figures(), imported.client.head().position

    summary = imported.again(name)

    assert (True, 0, 0) == (summary.imported_before, summary.tally.events_appended, summary.tally.rows_rejected)
    assert imported.summaries[name].tally.events_appended == summary.tally.events_duplicate
    assert head == imported.client.head().position
    assert before == imported.figures()
