from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from clients.connectors.csv_reader import read_csv
from clients.connectors.jsonl_reader import read_jsonl
from clients.connectors.mapping import ReaderOptions
from clients.connectors.rows import BadRow, ReadError, Row, identifiers
from clients.connectors.source_file import SourceFile
from clients.connectors.xes_reader import read_xes


def options(**values: object) -> ReaderOptions:
    made = ReaderOptions()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def stream(content: str | bytes) -> io.BytesIO:
    return io.BytesIO(content if isinstance(content, bytes) else content.encode())


# Columns


def test_column_names_become_identifiers_and_each_is_there_once() -> None:
    names = ["number", "category", "category", "Closed Date", "2016 total", "", "category_2", "in", "Größe"]

    found = identifiers(names)

    assert ["number", "category", "category_2", "Closed_Date", "_2016_total", "column_6", "category_2_2", "_in", "Gr_e"] == found


# CSV


def test_csv_rows_come_with_the_line_they_begin_on() -> None:
    table = read_csv(stream('id,text\n1,"two\nlines"\n\n2,x\n'), options())

    assert ["id", "text"] == table.columns
    assert [Row(2, ["1", "two\nlines"]), Row(5, ["2", "x"])] == list(table.rows)


def test_csv_may_have_another_separator_another_encoding_and_no_quotes() -> None:
    content = 'id;text\n1;"é\n'.encode("latin-1")

    table = read_csv(stream(content), options(delimiter=";", encoding="latin-1", quote=""))

    assert [Row(2, ["1", '"é'])] == list(table.rows)


def test_csv_without_a_header_takes_the_columns_of_the_mapping() -> None:
    table = read_csv(stream("1,x\n"), options(header=False, columns=("id", "text")))

    assert (["id", "text"], [Row(1, ["1", "x"])]) == (table.columns, list(table.rows))


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert ["id"] == read_csv(stream("\ufeffid\n"), options()).columns


def test_a_row_of_another_width_is_bad_and_the_others_are_read() -> None:
    rows = list(read_csv(stream("id,text\n1\n2,x,y\n3,z\n"), options()).rows)

    assert ["has 1 cells, and the header 2", "has 3 cells, and the header 2"] == [
        row.reason for row in rows if isinstance(row, BadRow)
    ]
    assert [Row(4, ["3", "z"])] == [row for row in rows if isinstance(row, Row)]


def test_bytes_that_are_not_in_the_encoding_reject_their_row_alone() -> None:
    rows = list(read_csv(stream(b"id,text\n1,\xff\n2,x\n"), options()).rows)

    assert BadRow(2, "is not encoded as utf-8-sig", r"1 | \udcff") == rows[0]
    assert Row(3, ["2", "x"]) == rows[1]


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ReadError, match="empty"):
        read_csv(stream(""), options())


def test_an_encoding_that_cannot_go_on_after_a_bad_byte_ends_the_reading() -> None:
    content = "id\n1\n".encode("utf-16-le") + b"\x00"

    with pytest.raises(ReadError, match="not encoded as utf-16-le"):
        list(read_csv(stream(content), options(encoding="utf-16-le")).rows)


# JSON Lines


def test_json_lines_are_read_by_paths_and_every_value_is_a_text() -> None:
    content = '{"id": 7, "who": {"mail": "a@example.org"}, "done": true, "tags": ["x"]}\n\n{"id": "8", "who": null}\n'

    table = read_jsonl(stream(content), options(columns=("id", "who.mail", "done", "tags")))

    assert ["id", "who_mail", "done", "tags"] == table.columns
    assert [Row(1, ["7", "a@example.org", "true", '["x"]']), Row(3, ["8", "", "", ""])] == list(table.rows)


def test_a_line_that_is_no_json_object_is_bad_and_the_others_are_read() -> None:
    rows = list(read_jsonl(stream('{"id": 1\n[1]\n{"id": 2}\n'), options(columns=("id",))).rows)

    assert [1, 2] == [row.line for row in rows if isinstance(row, BadRow)]
    assert [Row(3, ["2"])] == [row for row in rows if isinstance(row, Row)]


# XES

XES = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <global scope="event"><string key="concept:name" value="unset"/></global>
  <trace>
    <string key="concept:name" value="case 1"/>
    <event><string key="concept:name" value="open"/><date key="time:timestamp" value="2016-01-01T10:00:00+01:00"/></event>
    <event><string key="concept:name" value="close"><string key="inner" value="no"/></string><int key="cost" value="3"/></event>
  </trace>
  <trace><string key="concept:name" value="case 2"/><event><string key="concept:name" value="open"/></event></trace>
</log>
"""


def test_event_logs_give_a_row_an_event_with_the_attributes_of_its_trace() -> None:
    table = read_xes(stream(XES), options(columns=("case:concept:name", "concept:name", "time:timestamp", "cost")))

    assert ["case_concept_name", "concept_name", "time_timestamp", "cost"] == table.columns
    assert [
        Row(1, ["case 1", "open", "2016-01-01T10:00:00+01:00", ""]),
        Row(2, ["case 1", "close", "", "3"]),
        Row(3, ["case 2", "open", "", ""]),
    ] == list(table.rows)


def test_a_broken_event_log_says_how_far_it_came() -> None:
    rows = read_xes(stream(XES[:-60]), options(columns=("concept:name",))).rows

    with pytest.raises(ReadError, match=r"the file is no XES: .* events were read before"):
        list(rows)


# Files


def test_gzip_and_zip_are_opened_by_what_they_are_not_by_their_name(tmp_path: Path) -> None:
    plain, packed, archive = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    plain.write_bytes(b"id\n1\n")
    packed.write_bytes(gzip.compress(b"id\n1\n"))
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("folder/x.csv.gz", gzip.compress(b"id\n1\n"))

    for path in (plain, packed, archive):
        with SourceFile(path).open() as content:
            assert b"id\n1\n" == content.read()


@pytest.mark.parametrize(
    "damaged", [gzip.compress(b"id\n" * 10_000, mtime=0)[:-20], b"PK\x03\x04 no zip at all"], ids=["gzip", "zip"]
)
def test_a_damaged_archive_is_refused(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(damaged)

    with pytest.raises(ReadError, match="damaged"), SourceFile(path).open() as content:
        content.read()


def test_a_zip_with_several_files_needs_the_name_of_one(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("a.csv", "id\n")
        zipped.writestr("b.csv", "id\n2\n")

    with pytest.raises(ReadError, match="holds 2 files"), SourceFile(path).open():
        pass
    with pytest.raises(ReadError, match=r"no member 'c\.csv'"), SourceFile(path, "c.csv").open():
        pass
    with SourceFile(path, "b.csv").open() as content:
        assert b"id\n2\n" == content.read()
