from __future__ import annotations

from pathlib import Path

import pytest

from clients.connectors.event_id import derived_id
from clients.connectors.row_mapper import RowError, RowMapper
from ledger.api.v1.core_pb2 import MOVES
from tests.unit.connectors.mapping_files import COLUMNS, EVENTS, SNAPSHOT_COLUMNS, SNAPSHOTS, mapper_of

CALL = ["7", "29/02/2016 10:00", "Phone", "call", "A-1", "No delivery"]
TEN = 1_456_736_400_000_000
"""2016-02-29 10:00 in Paris, in microseconds."""


@pytest.fixture
def events(tmp_path: Path) -> RowMapper:
    return mapper_of(tmp_path, EVENTS, COLUMNS)


@pytest.fixture
def snapshots(tmp_path: Path) -> RowMapper:
    mapper = mapper_of(tmp_path, SNAPSHOTS, SNAPSHOT_COLUMNS)
    mapper.start_case()
    return mapper


def test_a_row_becomes_the_event_its_rule_says(events: RowMapper) -> None:
    mapped = events.map(2, CALL)

    (event,) = mapped.events
    assert ["contact-received"] == mapped.topics
    assert ("crm", "run-1", "phone") == (event.envelope.source, event.envelope.import_run, event.envelope.channel)
    assert TEN == event.envelope.occur_time.ToMicroseconds()
    received = event.payload.contact_received
    assert ("c-7", "account", "A-1", "no_delivery") == (
        received.contact_id,
        received.customer.type,
        received.customer.value,
        received.reason,
    )


def test_its_id_is_derived_from_source_key_rule_and_time(events: RowMapper) -> None:
    again = events.map(900, CALL)

    assert derived_id(TEN, "crm", "7", "received") == again.events[0].envelope.event_id


def test_a_message_whose_condition_does_not_hold_stays_unset(events: RowMapper) -> None:
    mapped = events.map(2, [*CALL[:4], "", "x"])

    assert not mapped.events[0].payload.contact_received.HasField("customer")


def test_an_empty_text_leaves_its_field_unset(events: RowMapper) -> None:
    mapped = events.map(2, [*CALL[:2], "", *CALL[3:]])

    assert not mapped.events[0].envelope.HasField("channel")


def test_a_needed_field_without_a_value_rejects_the_row(events: RowMapper) -> None:
    with pytest.raises(RowError, match="reason is needed, and has no value here") as raised:
        events.map(2, [*CALL[:5], ""])

    assert ("rules[0].set.reason", "received") == (raised.value.key, raised.value.rule)


def test_a_value_that_a_table_does_not_have_rejects_the_row(events: RowMapper) -> None:
    with pytest.raises(RowError, match="the table channel has no line for 'Fax'") as raised:
        events.map(2, [*CALL[:2], "Fax", *CALL[3:]])

    assert "envelope.channel" == raised.value.key


def test_an_unreadable_time_rejects_the_row_with_its_format(events: RowMapper) -> None:
    with pytest.raises(RowError, match=r"'soon' is no time of the form %d/%m/%Y %H:%M"):
        events.map(2, [CALL[0], "soon", *CALL[2:]])


def test_a_row_that_no_rule_takes_is_rejected(events: RowMapper) -> None:
    with pytest.raises(RowError, match="no rule takes this row"):
        events.map(2, [*CALL[:3], "mail", *CALL[4:]])


def test_a_row_of_an_event_log_is_one_event(tmp_path: Path) -> None:
    mapper = mapper_of(tmp_path, EVENTS.replace('when: row.what == "note"', "when: known(row.what)"), COLUMNS)

    with pytest.raises(RowError, match="2 rules take this row"):
        mapper.map(2, CALL)


def test_which_rules_take_a_row_is_the_same_for_every_row_of_its_kind(events: RowMapper) -> None:
    first = events.map(2, CALL)
    for line in (3, 4):
        with pytest.raises(RowError, match="no rule takes this row"):
            events.map(line, [*CALL[:3], "mail", *CALL[4:]])

    again = events.map(5, CALL)

    assert first == again


def test_a_row_that_is_a_case_may_be_several_events(tmp_path: Path) -> None:
    text = EVENTS.replace('when: row.what == "note"', "when: known(row.what)").replace("rows: event", "rows: case")

    mapped = mapper_of(tmp_path, text, COLUMNS).map(2, CALL)

    assert ["contact-received", "note-added"] == mapped.topics


def test_rows_may_be_left_out_by_a_condition(tmp_path: Path) -> None:
    mapper = mapper_of(tmp_path, EVENTS.replace("rows: event", "rows: event\nskip: row.what.startsWith('test')"), COLUMNS)

    assert (True, False) == (mapper.skips(2, [*CALL[:3], "test call", *CALL[4:]]), mapper.skips(3, CALL))


# Snapshots


def row(count: int, team: str, person: str = "?", minute: int = 0) -> list[str]:
    return ["I-1", str(count), f"2016-03-01T10:{minute:02}:00", team, person]


def test_a_rule_sees_the_row_before_of_the_same_case(snapshots: RowMapper) -> None:
    found = [
        snapshots.map(line, one).topics
        for line, one in enumerate([row(0, "A"), row(1, "A"), row(2, "B", "p-1"), row(3, "B", "p-2")])
    ]

    assert [["request-opened"], [], ["handoff-offered", "handoff-accepted"], []] == found


def test_memory_is_carried_from_row_to_row(snapshots: RowMapper) -> None:
    mapped = [
        snapshots.map(line, one)
        for line, one in enumerate([row(0, "A"), row(1, "B"), row(2, "B"), row(5, "B", "p-1"), row(6, "B")])
    ]

    assert [["request-opened"], ["handoff-offered"], [], ["handoff-accepted"], []] == [one.topics for one in mapped]
    offered, accepted = mapped[1].events[0].payload.handoff_offered, mapped[3].events[0].payload.handoff_accepted
    assert ("h-I-1.1", "h-I-1.1") == (offered.handoff_id, accepted.handoff_id)
    assert ("a", "b", MOVES) == (offered.from_department, offered.to_department, offered.ownership)


def test_an_unknown_value_between_two_known_ones_is_no_change_between_them(snapshots: RowMapper) -> None:
    found = [snapshots.map(line, one).topics for line, one in enumerate([row(0, "A"), row(1, "?"), row(2, "B")])]

    assert [["request-opened"], [], []] == found


def test_a_new_case_knows_nothing_of_the_one_before(snapshots: RowMapper) -> None:
    snapshots.map(2, row(0, "A"))
    snapshots.map(3, row(1, "B"))

    snapshots.start_case()

    assert ["request-opened"] == snapshots.map(4, ["I-2", "0", "2016-03-01T10:00:00", "B", "p-1"]).topics


def test_a_rejected_row_does_not_count_for_the_rows_after_it(snapshots: RowMapper) -> None:
    snapshots.map(2, row(0, "A"))
    with pytest.raises(RowError):
        snapshots.map(3, ["I-1", "1", "soon", "B", "?"])

    mapped = snapshots.map(4, row(2, "B"))

    assert ["handoff-offered"] == mapped.topics
    assert "a" == mapped.events[0].payload.handoff_offered.from_department


def test_place_says_case_and_order(snapshots: RowMapper) -> None:
    case, order = snapshots.place(2, row(7, "A", minute=5))

    assert ("I-1", 7) == (case, order[1])
    with pytest.raises(RowError, match="the case is unknown"):
        snapshots.place(3, ["?", "0", "2016-03-01T10:00:00", "A", "?"])
    with pytest.raises(RowError, match="cannot convert"):
        snapshots.place(4, ["I-1", "x", "2016-03-01T10:00:00", "A", "?"])


def test_lists_of_texts_and_of_messages_are_filled(tmp_path: Path) -> None:
    text = EVENTS.replace("emit: note-added", "emit: request-opened").replace(
        '      contact_id: id("c", row.id)\n      text: row.why',
        """\
      request_id: row.id
      missing_intake_keys: row.why.split(",")
      intake_facts:
        - {key: '"who"', value: row.who}
        - {when: row.channel == "Web", key: '"web"', value: '"yes"'}
      objects: [{type: '"order"', value: row.who}]
""",
    )

    mapped = mapper_of(tmp_path, text, COLUMNS).map(2, [*CALL[:3], "note", "o-1", "phone,address,"])

    opened = mapped.events[0].payload.request_opened
    assert ["phone", "address"] == list(opened.missing_intake_keys)
    assert [("who", "o-1")] == [(fact.key, fact.value) for fact in opened.intake_facts]
    assert [("order", "o-1")] == [(one.type, one.value) for one in opened.objects]


def test_dotted_paths_and_nested_maps_say_the_same(tmp_path: Path) -> None:
    body = "emit: promise-made\n    set:\n      promise_id: row.id\n      kind: '\"call_back\"'\n"
    dotted = body + "      due.local: local(row.why)\n      due.zone: '\"Europe/Paris\"'\n"
    nested = body + "      due: {local: local(row.why), zone: '\"Europe/Paris\"'}\n"
    start = EVENTS.index("emit: note-added")
    due = [*CALL[:3], "note", "", "28/03/2016 14:30"]

    found = [mapper_of(tmp_path, EVENTS[:start] + one, COLUMNS).map(2, due).events[0] for one in (dotted, nested)]

    assert found[0] == found[1]
    assert ("2016-03-28T14:30:00", "Europe/Paris") == (
        found[0].payload.promise_made.due.local,
        found[0].payload.promise_made.due.zone,
    )
