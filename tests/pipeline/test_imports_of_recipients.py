"""Files of recipients against the emulator: every row counted once, whatever dies and comes twice."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import contract
from chalicelib.errors import NotFound, TooLarge
from chalicelib.push import imports, recipients, reports, sheet
from chalicelib.store import AccountStore
from tests.pipeline.inprocess import Emulator
from tests.pipeline.recipient_world import BUCKET, PHONES, Recipients, connect, device, token
from tests.pipeline.world import Killed, World


@pytest.fixture
def people(world: World, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Recipients:
    return connect(world, emulator, monkeypatch)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 301)
    monkeypatch.setattr(imports, "BATCH", 4)
    monkeypatch.setattr(sheet, "LONGEST_RECORD", 300)


def upload(people: Recipients, data: bytes) -> str:
    slot = imports.open_slot(people.store, contract.NewImport(name="people.csv", size=len(data)), people.now)
    key = imports.uploaded_key(people.store.account, slot.id)
    people.world.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)
    imports.begin(key, people.now)
    return slot.id


def work(people: Recipients, **options: Any) -> None:
    while people.messages:
        imports.run(people.messages.pop(), 1, **options)


def imported(people: Recipients, data: bytes) -> contract.ImportView:
    name = upload(people, data)
    work(people)
    return imports.read(people.store, name)


def problems(people: Recipients, name: str) -> list[dict[str, Any]]:
    key = reports.report(people.store.account, name)
    body = people.world.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def counts(view: contract.ImportView) -> tuple[str, int, int, int]:
    return view.state, view.rows, view.stored, view.problems


def test_a_file_is_imported_and_deleted(people: Recipients):
    data = b"\xef\xbb\xbfid,phone,attributes.city\r\nann,+491701234567,K\xc3\xb6ln\r\nbob,,\r\n"
    view = imported(people, data)
    assert counts(view) == ("done", 2, 2, 0)
    assert (view.read, view.problems_url) == (len(data), None)
    assert (people.get("ann").phone, people.get("ann").attributes) == (PHONES[0], {"city": "Köln"})
    key = imports.uploaded_key(people.store.account, view.id)
    with pytest.raises(ClientError):
        people.world.client("s3").get_object(Bucket=BUCKET, Key=key)


def test_every_row_that_was_not_stored_is_in_the_report(people: Recipients):
    lines = [
        b"id,phone,timezone,attributes.age:number",
        b"ann,+491701234567,Europe/Berlin,38",
        b"bob,12,,",
        b"c id,,,",
        b"dan,,Europe/Nowhere,",
        b"eve,,,old",
        b'"fa\ny",,,',
        b"ann,,,",
        b"gus,,",
        b"M\xfcller,,,",
        b'hal,"+49,,',
        b"ivy,,,1",
    ]
    view = imported(people, b"\n".join(lines))
    assert counts(view) == ("done", 11, 2, 9)
    assert [(each["line"], each["id"], each["field"]) for each in problems(people, view.id)] == [
        (3, "bob", "phone"),
        (4, "c id", "id"),
        (5, "dan", "timezone"),
        (6, None, "attributes.age:number"),
        (7, "fa\ny", "id"),
        (9, "ann", "id"),
        (10, None, None),
        (11, None, None),
        (12, None, None),
    ]
    assert view.problems_url is not None
    assert "Signature" in view.problems_url


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"phone\n+491701234567\n", "no column id"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\xff\xfei\x00d\x00\n\x00", "not UTF-8"),
        (b'"id\nann\n', "quote"),
    ],
)
def test_a_file_without_a_header_fails_and_says_so(people: Recipients, data: bytes, says: str):
    view = imported(people, data)
    assert view.state == "failed"
    assert says in view.reason


@pytest.mark.parametrize("data", [b"id", b"id\n", b"id\r\n\r\n\n"])
def test_no_rows_are_imported_at_once(people: Recipients, data: bytes):
    assert counts(imported(people, data)) == ("done", 0, 0, 0)


def test_what_the_file_has_no_column_for_stays(people: Recipients):
    people.put({"id": "ann", "phone": PHONES[0], "devices": [device(1), device(2, "GCM")], "attributes": {"a": "1"}})
    imported(people, f"id,apns_tokens,attributes.b\nann,{token(3)};{token(4)},2\n".encode())
    ann = people.get("ann")
    assert (ann.phone, ann.attributes) == (PHONES[0], {"a": "1", "b": "2"})
    assert sorted(people.tokens("ann")) == [token(2), token(3), token(4)]
    assert people.owner(1) is None


def test_a_file_that_changes_while_it_is_read_fails(people: Recipients):
    name = upload(people, b"id\nann\n")
    key = imports.uploaded_key(people.store.account, name)
    people.world.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"id\nbob\n")
    work(people)
    assert imports.read(people.store, name).state == "failed"
    assert people.get("bob") is None


def test_a_busy_sns_makes_an_import_wait_and_lose_nothing(people: Recipients):
    throttled = ClientError({"Error": {"Code": "Throttling", "Message": ""}}, "")
    people.fail("CreatePlatformEndpoint", throttled, times=3)
    view = imported(people, f"id,apns_token\nann,{token(1)}\nbob,{token(2)}\n".encode())
    assert counts(view) == ("done", 2, 2, 0)
    assert (people.tokens("ann"), people.tokens("bob")) == ([token(1)], [token(2)])


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_a_token_that_stands_in_a_file_twice_is_a_problem_of_the_later_row(
    people: Recipients, monkeypatch: pytest.MonkeyPatch, batch: int
):
    monkeypatch.setattr(imports, "BATCH", batch)
    people.put({"id": "old", "devices": [device(1)]})
    view = imported(people, f"id,apns_token\nann,{token(1)}\nbob,\ncid,{token(1)}\n".encode())
    assert counts(view) == ("done", 3, 2, 1)
    assert [(each["line"], each["field"]) for each in problems(people, view.id)] == [(4, "apns_token")]
    assert (people.tokens("ann"), people.tokens("old")) == ([token(1)], [])


def test_a_turn_ends_in_time_and_another_goes_on(people: Recipients, small_parts: None):
    ticks = iter(range(10**6))
    data = b"id\n" + b"".join(b"user-%d\n" % number for number in range(200))
    name = upload(people, data)
    turns = 0
    while people.messages:
        imports.run(people.messages.pop(), clock=lambda: next(ticks), seconds=5)
        turns += 1
    assert counts(imports.read(people.store, name)) == ("done", 200, 200, 0)
    assert turns > 2


def test_a_lost_message_is_sent_again(people: Recipients):
    name = upload(people, b"id\nann\n")
    people.messages.clear()
    imports.sweep(people.now + 10)
    assert people.messages == []
    imports.sweep(people.now + imports.PATIENCE_SECONDS + 1)
    work(people)
    assert counts(imports.read(people.store, name)) == ("done", 1, 1, 0)


def test_another_accounts_import_is_out_of_reach(people: Recipients):
    name = upload(people, b"id\nann\n")
    with pytest.raises(NotFound):
        imports.read(AccountStore("zother"), name)


def test_a_file_over_the_limit_gets_no_slot(people: Recipients):
    with pytest.raises(TooLarge):
        imports.open_slot(people.store, contract.NewImport(name="x", size=contract.MAX_IMPORT_BYTES + 1), 0)


@pytest.mark.parametrize("seed", range(12))
def test_an_import_that_dies_anywhere_ends_as_one_that_does_not(people: Recipients, small_parts: None, seed: int):
    chance = people.world.random = random.Random(seed)
    rows = []
    for number in range(60):
        name = chance.choice((f"user-{number}", f"user-{number}", "user-0", "bad id"))
        rows.append(f'{name},"{chance.choice(("a", "b" + chr(10) + "c", "d" * 20))}",{number}')
    data = "\n".join(["id,attributes.text,attributes.row:number", *rows]).encode()
    first = {name: number for number, row in reversed(list(enumerate(rows))) if " " not in (name := row.split(",")[0])}
    name = upload(people, data)
    for _ in range(500):
        if not people.messages:
            break
        message = people.messages.pop(chance.randrange(len(people.messages)))
        if chance.random() < 0.5:
            people.world.kill_at(chance.randrange(40))
        try:
            imports.run(message)
        except Killed:
            people.messages.append(message)
        if chance.random() < 0.2:
            people.messages.append(message)
        people.emulator.on_call = lambda *_: None
    view = imports.read(people.store, name)
    assert counts(view) == ("done", len(rows), len(first), len(rows) - len(first))
    assert len({each["line"] for each in problems(people, name)}) == view.problems
    stored = recipients.load(people.store, first)
    assert {each.id: each.attributes["row"] for each in stored.values()} == first
