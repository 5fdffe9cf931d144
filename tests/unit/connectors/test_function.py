from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from clients.connectors.event_id import derived_id
from clients.connectors.function import Sources, code, entity_id, find, json_text, known, looked_up, pad, prefixed_code
from clients.connectors.time_text import TimeReader, micros

CODE = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
ENTITY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,95}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Self service", "self_service"),
        ("  PWDx ", "pwdx"),
        ("Réclamation — œuvre", "reclamation_oeuvre"),
        ("Straße", "strasse"),
        ("72", "72"),
        ("", ""),
    ],
)
def test_a_code_has_small_letters_digits_and_underscores(text: str, expected: str) -> None:
    assert expected == code(text)


def test_a_long_code_is_cut_and_stays_a_code() -> None:
    found = code("A very long name, " * 10)

    assert CODE.fullmatch(found)


def test_a_code_needs_a_letter_or_a_digit() -> None:
    with pytest.raises(ValueError, match="table"):
        code("???")


def test_a_prefix_stands_before_a_known_code_only() -> None:
    assert "group_72" == prefixed_code("group", "72")
    assert "" == prefixed_code("group", "")


def test_an_id_keeps_what_ids_may_hold() -> None:
    assert "inc-0000045" == entity_id("inc", "0000045")


@pytest.mark.parametrize("text", ["a b", "a/b", "é", "x" * 200, "a@example.org"])
def test_an_id_of_other_text_is_valid_and_stays_apart(text: str) -> None:
    found, other = entity_id("inc", text), entity_id("inc", text + " ")

    assert ENTITY_ID.fullmatch(found)
    assert found != other


def test_an_id_of_an_unknown_value_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        entity_id("inc", "")


def test_known_is_false_for_the_empty_text_alone() -> None:
    assert (False, True, True) == (known(""), known("0"), known(" "))


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [("Ward 014", "0*([1-9][0-9]*)", "14"), ("2121.0", "^[0-9]+", "2121"), ("none", "[0-9]", ""), ("ab", "(x)?ab", "")],
)
def test_find_gives_the_group_or_the_whole_match(text: str, pattern: str, expected: str) -> None:
    assert expected == find(text, pattern)


def test_find_says_that_a_pattern_is_none() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        find("x", "(")


def test_pad_fills_on_the_left_and_leaves_the_unknown_alone() -> None:
    assert ("02121", "123456", "") == (pad("2121", 5, "0"), pad("123456", 5, "0"), pad("", 5, "0"))
    with pytest.raises(ValueError, match="one character"):
        pad("1", 5, "00")


def test_json_is_the_same_for_the_same_map_in_any_order() -> None:
    assert '{"a": "é", "b": 2}' == json_text({"b": 2, "a": "é", "c": ""}) == json_text({"a": "é", "c": "", "b": 2})


def test_a_table_is_strict_unless_told_what_to_take_otherwise() -> None:
    channel = looked_up("channel", {"Phone": "phone"})

    assert ("phone", "other", "") == (channel("Phone"), channel("Fax", "other"), channel(""))
    with pytest.raises(ValueError, match="the table channel has no line for 'Fax'"):
        channel("Fax")


def test_event_id_names_the_event_that_a_rule_makes_of_another_row() -> None:
    sources = Sources(TimeReader(), {}, "crm", frozenset({"linked"}))
    at = datetime(2016, 4, 1, tzinfo=UTC)

    assert derived_id(micros(at), "crm", "7", "linked") == sources.event_id("linked", "7", at)
    assert derived_id(micros(at), "crm", "7\x1f2", "linked") == sources.event_id("linked", ["7", "2"], at)
    with pytest.raises(ValueError, match="no rule 'linkt'"):
        sources.event_id("linkt", "7", at)
