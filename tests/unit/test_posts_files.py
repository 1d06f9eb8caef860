"""Posts from CSV and JSON-lines files: what is written comes back, and every row is a post or a problem."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.training import post
from chalicelib.training.post import MAX_FIELD, MAX_POSTS, Post, Problem

NOW = 1_780_000_000.0
QUICK = settings(max_examples=60, deadline=None)


def csv_of(*lines, end="\n"):
    return end.join(lines).encode()


def read(*lines, end="\n"):
    return post.from_csv(csv_of(*lines, end=end), NOW)


def rows(found):
    posts, problems = found
    return [each.row for each in posts], [each.row for each in problems]


# What hypothesis may write

trimmed = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda t: t == t.strip())
names = trimmed.filter(lambda name: name.lower() not in (*post.KNOWN, "metadata"))
texts = trimmed.filter(lambda text: post._typed(text) == text)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def posts(draw):
    engagement = draw(st.floats(0, 1e6))
    impressions = draw(st.none() | st.floats(max(engagement, 1.0), 1e9))
    posted_at = draw(st.none() | st.floats(post.EARLIEST, NOW))
    return Post(0, draw(trimmed), engagement, impressions, posted_at, draw(metadata))


metadata = st.dictionaries(names, texts | numbers | st.booleans(), max_size=4)


def without_row(found):
    return [(each.image, each.engagement, each.impressions, each.posted_at, each.metadata) for each in found[0]]


def as_csv(written, delimiter):
    columns = list(dict.fromkeys(name for each in written for name in each.metadata))
    out = io.StringIO()
    table = csv.writer(out, delimiter=delimiter)
    table.writerow([*post.KNOWN, *columns])
    for each in written:
        known = (each.image, each.engagement, each.impressions, each.posted_at)
        table.writerow(["" if cell is None else cell for cell in (*known, *map(each.metadata.get, columns))])
    return out.getvalue().encode()


def as_jsonl(written):
    return "\n".join(
        json.dumps({name: getattr(each, name) for name in (*post.KNOWN, "metadata")}) for each in written
    ).encode()


@QUICK
@given(st.lists(posts(), min_size=1, max_size=5), st.sampled_from(post.DELIMITERS))
def test_a_csv_file_holds_what_was_written(written, delimiter):
    found = post.from_csv(as_csv(written, delimiter), NOW)
    assert without_row(found) == without_row((written, []))
    assert found[1] == []


@QUICK
@given(st.lists(posts(), min_size=1, max_size=5))
def test_a_json_lines_file_holds_what_was_written(written):
    found = post.from_jsonl(as_jsonl(written), NOW)
    assert without_row(found) == without_row((written, []))
    assert found[1] == []


@QUICK
@given(st.lists(st.lists(st.text(max_size=6) | st.sampled_from(["1", "-1", "2024-01-01"]), min_size=1, max_size=5)))
def test_every_record_of_a_csv_file_is_a_post_or_a_problem(cells):
    out = io.StringIO()
    csv.writer(out).writerows([["image", "engagement", "posted_at"], *cells])
    posts_of, problems_of = rows(post.from_csv(out.getvalue().encode(), NOW))
    assert len({*posts_of, *problems_of}) == len(posts_of) + len(problems_of) == len(cells)


@QUICK
@given(st.lists(st.binary(max_size=20) | st.sampled_from([b'{"image":"a","engagement":1}', b"[]", b"7"]), min_size=1))
def test_every_line_of_a_json_lines_file_is_a_post_or_a_problem(lines):
    data = b"\n".join([b'{"image":"first","engagement":1}', *lines])
    posts_of, problems_of = rows(post.from_jsonl(data, NOW))
    filled = [row for row, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    assert sorted([*posts_of, *problems_of]) == filled


@QUICK
@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(data):
    assert rows(post.from_csv(data, NOW)) != ([], [])
    assert rows(post.from_jsonl(data, NOW)) != ([], [])


# CSV


def test_a_spreadsheet_may_write_its_byte_order_mark_its_line_ends_and_its_semicolons():
    data = "\ufeffImage;Engagement;Größe\r\na;3;groß\r\n".encode()
    assert post.from_csv(data, NOW) == ([Post(2, "a", 3.0, metadata={"Größe": "groß"})], [])


def test_quotes_may_hold_commas_quotes_and_line_ends():
    found = read("image,engagement,caption", 'a,1,"one, ""two""\nthree"', "b,2,plain")
    assert [(each.row, each.metadata) for each in found[0]] == [
        (2, {"caption": 'one, "two"\nthree'}),
        (4, {"caption": "plain"}),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_row_has_the_number_of_its_line_and_empty_lines_count(end):
    assert rows(read("image,engagement", "a,1", "", "b,-1", "c,2", end=end)) == ([2, 5], [4])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\n\n",
        b"a,1\nb,2\n",
        b"image,likes\na,1\n",
        b"image,engagement,image\na,1,b\n",
        b'"image,engagement\na,1\n',
        "image,engagement\na,1\n".encode("utf-16"),
        b"\xff\xfeimage,engagement\na,1\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ],
)
def test_a_file_without_the_right_header_is_one_problem(data):
    found, problems = post.from_csv(data, NOW)
    assert (found, [each.row for each in problems]) == ([], [1])
    assert "image and engagement" in problems[0].reason


def test_a_row_that_is_not_utf8_is_a_problem_that_can_be_told_in_json():
    _, problems = found = post.from_csv(b"image,engagement,note\na,1,x\nb,2,caf\xe9\nc\xff,3,\nd,4,y\n", NOW)
    assert rows(found) == ([2, 5], [3, 4])
    assert msgspec.json.decode(msgspec.json.encode(problems), type=list[Problem]) == problems


@pytest.mark.parametrize("row", ["a", "a,1,x,y", 'a,"1"x,y', '"a,1,x'])
def test_a_row_of_the_wrong_shape_is_a_problem(row):
    assert rows(read("image,engagement,note", "first,1,", row)) == ([2], [3])


def test_a_megabyte_in_a_field_is_a_problem_of_its_row():
    found = read("image,engagement,note", "a,1,", f"b,2,{'x' * 1_000_000}", f'c,3,"{"x" * 1_000_000}"', "d,4,")
    assert rows(found) == ([2, 5], [3, 4])
    assert f"{MAX_FIELD}" in found[1][0].reason


def test_a_file_of_50_001_rows_is_read_up_to_the_limit():
    posts_of, problems_of = rows(read("image,engagement", *["a,1"] * (MAX_POSTS + 1)))
    assert (len(posts_of), problems_of) == (MAX_POSTS, [MAX_POSTS + 2])


def test_cells_are_numbers_truths_texts_or_missing():
    found, _ = read("image,engagement,a,b,c,d,e,,f", "x,1,7,reel,TRUE,NaN,,unnamed,inf")
    assert found[0].metadata == {"a": 7.0, "b": "reel", "c": True, "f": "inf"}


# JSON lines


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b'{"image":"b"',
        b"[1]",
        b'"b"',
        b'{"image":"b"}',
        b'{"image":"b","engagement":NaN}',
        b'{"image":"b","engagement":1e999}',
        b'{"image":"b","engagement":1,"metadata":[]}',
        b'{"image":"b","engagement":1,"nested":{"x":1}}',
        b'{"image":"\xff","engagement":1}',
        b'{"image":"\\ud800","engagement":1}',
        b'{"image":"b","engagement":1,"note":"' + b"x" * 1_000_000 + b'"}',
        b"[" * 100_000,
        b"[" * 200_000,
    ],
    ids=lambda line: repr(line[:40]),
)
def test_a_bad_line_in_between_is_a_problem_alone(line):
    data = b'{"image":"a","engagement":1}\n' + line + b'\n{"image":"c","engagement":2}'
    assert rows(post.from_jsonl(data, NOW)) == ([1, 3], [2])


@pytest.mark.parametrize("data", [b"", b"\n\r\n"])
def test_an_empty_json_lines_file_is_one_problem(data):
    assert [each.reason for each in post.from_jsonl(data, NOW)[1]] == ["The file is empty."]


def test_other_keys_of_a_json_line_are_metadata_too():
    line = b'\xef\xbb\xbf{"image":"a","engagement":1,"kind":"reel","metadata":{"words":7},"note":null}\r\n'
    assert post.from_jsonl(line, NOW) == ([Post(1, "a", 1.0, metadata={"kind": "reel", "words": 7.0})], [])
