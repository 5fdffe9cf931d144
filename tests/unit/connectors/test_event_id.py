from __future__ import annotations

from uuid import RFC_4122, UUID

from clients.connectors.event_id import derived_id, derived_run_id

MOMENT = 1_456_708_560_250_999


def test_an_id_is_shaped_like_a_version_7_of_the_facts_own_time() -> None:
    found = UUID(derived_id(MOMENT, "crm", "7", "received"))

    assert (7, RFC_4122) == (found.version, found.variant)
    assert MOMENT // 1000 == found.int >> 80


def test_the_same_source_key_and_rule_give_the_same_id_for_ever() -> None:
    assert "01532a98-a57a-73e6-85cc-980fa1cba7de" == derived_id(MOMENT, "crm", "7", "received")


def test_another_source_key_or_rule_gives_another_id() -> None:
    names = [
        ("crm", "7", "received"),
        ("crn", "7", "received"),
        ("crm", "8", "received"),
        ("crm", "7", "opened"),
        ("crm7", "", "received"),
    ]

    assert len(names) == len({derived_id(MOMENT, *one) for one in names})


def test_times_before_1970_give_valid_ids() -> None:
    assert 0 == UUID(derived_id(-5_000_000, "crm", "7", "received")).int >> 80


def test_a_run_is_named_by_its_file_and_its_mapping() -> None:
    same = derived_run_id("crm", b"file", b"mapping")

    assert same == derived_run_id("crm", b"file", b"mapping")
    assert 3 == len({same, derived_run_id("crm", b"file 2", b"mapping"), derived_run_id("crm", b"file", b"mapping 2")})
    assert len(derived_run_id("c" * 64, b"file", b"mapping")) <= 96
