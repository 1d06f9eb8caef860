"""The inbox against the emulator: told once, in the order of arrival, read up to a place that never goes back."""

from __future__ import annotations

import itertools

import pytest

from chalicelib import auth, contract, ids, notices
from chalicelib.errors import Forbidden
from chalicelib.push import inbox
from chalicelib.store import AccountStore
from tests.pipeline.recipient_world import dynamodb_post
from tests.pipeline.world import Killed

NUMBERS = itertools.count()
NOW = 1_795_348_800.0  # 2026-11-22T12:00:00Z
DAY = 86_400


@pytest.fixture
def store(world):
    return AccountStore(f"b{next(NUMBERS):016d}")


@pytest.fixture
def ann(store):
    return auth.Principal(store.account, "ann", frozenset({"member"}))


def leave(store, what, user="ann", now=NOW):
    inbox.put(store, user, what, "news", f"About {what}.", {"thing": what}, now)


def page(principal, now=NOW, **query):
    return inbox.page(principal, contract.InboxQuery(**query), now)


def texts(principal, **query):
    return [item.text for item in page(principal, **query).items]


def test_what_is_told_twice_is_one_message_where_it_first_was(store, ann):
    for moment, what in enumerate(("one", "two", "one")):
        leave(store, what, now=NOW + moment)
    assert texts(ann, now=NOW + 9) == ["About two.", "About one."]


def test_many_are_left_in_one_request_and_only_those_that_are_not_there(store, ann, world, monkeypatch):
    monkeypatch.setattr("chalicelib.lean.post", dynamodb_post(world.emulator))
    wanted = [inbox.Message("ann", str(number), "news", "text", {}) for number in range(30)]
    inbox.put_many(store, wanted[:20], NOW)
    inbox.put_many(store, wanted, NOW + 1)
    assert page(ann, now=NOW + 2).unread == 30


def test_the_accounts_messages_are_between_the_users_own_and_nobody_elses(store, ann):
    for moment, (what, user) in enumerate((("mine", "ann"), ("ours", inbox.EVERYBODY), ("his", "bob"), ("new", "ann"))):
        leave(store, what, user, NOW + moment)
    assert texts(ann, now=NOW + 9) == ["About new.", "About ours.", "About mine."]


def test_pages_hold_every_message_once(store, ann):
    for number in range(7):
        leave(store, str(number), ["ann", inbox.EVERYBODY][number % 2], NOW + number)
    seen, cursor = [], None
    for _ in range(4):
        found = page(ann, now=NOW + 9, limit=2, **({"cursor": cursor} if cursor else {}))
        seen, cursor = [*seen, *(item.text for item in found.items)], found.next
    assert (seen, cursor) == ([f"About {number}." for number in range(6, -1, -1)], None)


@pytest.mark.parametrize("cursor", ["0", "7zzz", "z" * 40])
def test_a_cursor_of_nobodys_shows_what_stands_behind_it(store, ann, cursor):
    leave(store, "one")
    assert texts(ann, cursor=cursor) == ([] if cursor == "0" else ["About one."])


def test_reading_never_goes_back_and_what_comes_later_is_unread(store, ann):
    for number in range(3):
        leave(store, str(number), now=NOW + number)
    newest, middle, _ = (item.id for item in page(ann, now=NOW + 9).items)
    assert inbox.mark_read(ann, contract.NewRead(until=middle), NOW + 9).unread == 1
    assert inbox.mark_read(ann, contract.NewRead(until=newest), NOW + 9).unread == 0
    assert inbox.mark_read(ann, contract.NewRead(until=middle), NOW + 9).unread == 0
    leave(store, "later", inbox.EVERYBODY, NOW + 10)
    found = page(ann, now=NOW + 11)
    assert (found.unread, [item.read for item in found.items]) == (1, [False, True, True, True])


def test_who_reads_up_to_tomorrow_has_read_what_there_is_today(store, ann):
    leave(store, "today")
    assert inbox.mark_read(ann, contract.NewRead(until=ids.new_id(NOW + DAY)), NOW + 1).unread == 0
    leave(store, "later", now=NOW + 2)
    assert page(ann, now=NOW + 3).unread == 1


def test_messages_are_gone_after_ninety_days_even_if_the_table_still_has_them(store, ann):
    leave(store, "old", now=NOW)
    leave(store, "new", now=NOW + 2 * DAY)
    found = page(ann, now=NOW + 91 * DAY)
    assert ([item.text for item in found.items], found.unread) == (["About new."], 1)
    assert store.get("inbox", "ann", "message#old")["expires"] == int(NOW) + 90 * DAY


def test_counting_ends_at_a_thousand(store, ann, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_UNREAD", 3)
    for number in range(5):
        leave(store, str(number), ["ann", inbox.EVERYBODY][number % 2])
    assert page(ann, now=NOW + 1).unread == 3


def test_admins_see_what_a_recipient_was_told_and_read_it_for_them(store, ann):
    leave(store, "push", "carl@example.com")
    admin = auth.Principal(store.account, "root", frozenset({"member", "admin"}))
    [item] = page(admin, recipient="carl@example.com").items
    assert inbox.mark_read(admin, contract.NewRead(until=item.id, recipient="carl@example.com"), NOW).unread == 0
    assert page(admin, recipient="carl@example.com").items[0].read
    with pytest.raises(Forbidden):
        page(ann, recipient="carl@example.com")


# Notices


def notice(store, kind, **about):
    return {"version": 1, "kind": kind, "account": store.account, **about}


TOLD = [
    ("ranking_complete", "ranking", {}, "The ranking “spring” is complete."),
    ("campaign_completed", "campaign", {}, "The campaign “spring” is completed."),
    *(
        ("model_trained", "model", {"model_version": 2, "state": state}, f"The model “spring” {words}.")
        for state, words in inbox.ENDS.items()
    ),
]


@pytest.mark.parametrize(("kind", "thing", "about", "text"), TOLD)
def test_a_notice_is_told_once_to_everybody_in_its_account(store, ann, kind, thing, about, text):
    store.put(thing, "x", {"name": "spring"})
    for moment in (NOW, NOW + 1):
        inbox.deliver(notice(store, kind, **{thing: "x"}, **about), moment)
    [item] = page(ann, now=NOW + 2).items
    assert (item.kind, item.text, item.about[thing]) == (kind, text, "x")


def test_each_version_of_a_model_is_told_once(store, ann):
    store.put("model", "x", {"name": "m"})
    for version in (1, 2, 1):
        inbox.deliver(notice(store, "model_trained", model="x", model_version=version, state="ready"), NOW)
    assert page(ann).unread == 2


def test_nothing_is_told_of_what_is_deleted_or_unheard_of(store, ann):
    for kind in ("ranking_complete", "something_new"):
        inbox.deliver(notice(store, kind, ranking="gone"), NOW)
    assert page(ann).items == []


@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_whoever_dies_while_telling_is_made_up_for_by_the_next(store, ann, world, call, moment):
    store.put("ranking", "x", {"name": "spring"})
    left = [call]

    def die(_service, _operation, when):
        if when == moment:
            left[0] -= 1
            if left[0] < 0:
                world.emulator.on_call = lambda *_: None
                raise Killed

    world.emulator.on_call = die
    with pytest.raises(Killed):
        inbox.deliver(notice(store, "ranking_complete", ranking="x"), NOW)
    inbox.deliver(notice(store, "ranking_complete", ranking="x"), NOW + 1)
    assert texts(ann, now=NOW + 2) == ["The ranking “spring” is complete."]


def test_what_a_notice_says_comes_through_sns_as_it_was(world, store):
    notices.campaign_completed(store.account, "c")
    [sent] = world.bag.notices
    assert sent == notice(store, "campaign_completed", campaign="c")
