from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push import entries, recipients, sheet
from chalicelib.push.entries import Refused

IDS = st.text("abcXYZ019_.@:+|=~-", min_size=1, max_size=30)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12)


@pytest.mark.parametrize("name", ["", "ann\n", "a b", "a/b", "x" * 101, "ä", 7])
def test_an_id_is_what_an_address_can_name(name: object):
    with pytest.raises(Refused) as refused:
        entries.entry({"id": name}, 0)
    assert refused.value.field == "id"


@given(IDS)
def test_an_id_is_in_one_segment(name: str):
    key, sk = recipients.place(name)
    assert (int(key), sk) == (recipients.segment(name), name)
    assert 0 <= recipients.segment(name) < recipients.SEGMENTS


def test_segments_are_about_equally_full():
    sizes = [0] * recipients.SEGMENTS
    for number in range(32_000):
        sizes[recipients.segment(f"user-{number}")] += 1
    assert min(sizes) > 800
    assert max(sizes) < 1200


def in_pieces(data: bytes, piece: int) -> list[list[str]]:
    """The rows of a file that is read as an import reads it."""
    rows, place = [], 0
    while place < len(data):
        some = data[place : place + piece]
        for record in sheet.records(some, last=place + len(some) == len(data)):
            place += record.size
            if record.data:
                rows.append(sheet.cells(record))
    return rows


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), max_size=6), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_file_reads_the_same_in_pieces_of_any_size(rows: list[list[str]], line_end: str, ends: bool):
    written = io.StringIO()
    csv.writer(written, lineterminator=line_end).writerows(rows)
    data = written.getvalue().encode()
    data = data if ends else data.removesuffix(line_end.encode())
    longest, sheet.LONGEST_RECORD = sheet.LONGEST_RECORD, 400
    try:
        assert all(in_pieces(data, piece) == rows for piece in (401, 450, 10**6))
    finally:
        sheet.LONGEST_RECORD = longest


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    data = b'a,"b\nc,d\n' + b"e,f\n" * 20_000
    found = list(sheet.records(data, last=True))
    assert found[0].problem is not None
    assert [record.data for record in found[1:3]] == [b"c,d", b"e,f"]
    assert len(found) == 20_002


def test_a_file_of_quotes_that_never_close_takes_no_hours():
    """Each of its lines alone opens a cell that goes on through all of the others; 8 s of processor time once."""
    data = b'"a","\n' * 20_000
    begun = time.process_time()
    found = list(sheet.records(data, last=False))
    assert time.process_time() - begun < 2
    assert sum(each.size for each in found) > len(data) - sheet.LONGEST_RECORD


def test_lines_are_counted_through_quoted_line_ends():
    found = list(sheet.records(b'a,"b\n\nc"\r\n\nd,e', last=True))
    assert [(record.data, record.lines) for record in found] == [(b'a,"b\n\nc"', 3), (b"", 1), (b"d,e", 1)]


def test_bytes_that_are_no_utf_8_are_told():
    [record] = sheet.records(b"ann,M\xfcller", last=True)
    with pytest.raises(Refused, match="not UTF-8"):
        sheet.cells(record)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("phone,timezone", "no column id"),
        ("id,phone,Phone", "twice"),
        ("id,fcm_token,fcm_tokens", "twice"),
        ("id,quiet_from", "together"),
        ("id,telephone", "no column 'telephone'"),
        ("id,attributes.", "no column"),
        ("id,attributes.age:date", "no column"),
        ("id;phone", "no column 'id;phone'"),
    ],
)
def test_a_header_that_cannot_be_meant_is_refused(header: str, says: str):
    with pytest.raises(Refused, match=says):
        sheet.columns(header.split(","))


def row(header: str, line: str) -> dict[str, Any]:
    return sheet.item(sheet.columns(header.split(",")), line.split(","))


def test_cells_become_what_a_request_would_have_said():
    header = "ID,phone,quiet_from,quiet_to,opt_out,apns_tokens,fcm_token,attributes.city,attributes.age:number"
    assert row(header, "ann, +491701234567 ,22:00,07:00,sms; push,aa;bb,cc,Berlin,38") == {
        "id": "ann",
        "phone": "+491701234567",
        "quiet_hours": {"from": "22:00", "to": "07:00"},
        "opt_out": ["sms", "push"],
        "devices": [
            {"platform": "APNS", "token": "aa"},
            {"platform": "APNS", "token": "bb"},
            {"platform": "GCM", "token": "cc"},
        ],
        "attributes": {"city": "Berlin", "age": 38},
    }


@pytest.mark.parametrize(("cell", "value"), [("yes", True), ("FALSE", False), ("0", False), ("", None)])
def test_a_boolean_is_read(cell: str, value: object):
    assert row("id,attributes.vip:boolean", f"ann,{cell}")["attributes"] == {"vip": value}


@pytest.mark.parametrize("cell", ["1e9", "nan", "12,5", "0x1", "١"])
def test_a_number_is_digits(cell: str):
    with pytest.raises(Refused, match="number"):
        sheet.item(sheet.columns(["id", "attributes.age:number"]), ["ann", cell])


def test_what_a_file_has_no_column_for_stays():
    known = recipients.Recipient("ann", phone="+491701234567", attributes={"city": "Berlin", "age": 3})
    columns = sheet.columns(["id", "attributes.age"])
    entry = entries.entry(sheet.item(columns, ["ann", ""]), 2, columns.scope)
    after = entries.following(entry, known)
    assert (after.phone, after.attributes) == ("+491701234567", {"city": "Berlin"})


def test_a_problem_names_the_column():
    columns = sheet.columns(["id", "quiet_from", "quiet_to", "fcm_token", "apns_token"])
    raw = sheet.item(columns, ["ann", "22:00", "7", "cc", "dd"])
    fields = ("quiet_hours.to", "devices[0].token", "devices[1].token", "id")
    assert [sheet.column(columns, raw, field) for field in fields] == ["quiet_to", "fcm_token", "apns_token", "id"]
