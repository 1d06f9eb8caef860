"""Transactions of the store: what others do at the same moment is waited out, a condition that fails is told."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import Unavailable
from chalicelib.store import TRANSACTION_TRIES, AccountStore, Cancelled, Write

WRITES = [Write("thing", "a", {"n": 1}), Write("thing", "b", {"n": 1})]


class Busy:
    """DynamoDB that cancels the first transactions for these reasons, one for each write."""

    def __init__(self, *cancellations):
        self.left = list(cancellations)
        self.asked = 0

    def transact_write_items(self, **_request):
        self.asked += 1
        if self.left:
            reasons = [{"Code": code} for code in self.left.pop(0)]
            raise ClientError(
                {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},
                "TransactWriteItems",
            )


@pytest.fixture
def transact(monkeypatch):
    def run(table):
        monkeypatch.setattr(aws, "dynamodb", lambda: table)
        monkeypatch.setattr("chalicelib.store.time.sleep", lambda _seconds: None)
        AccountStore("a").transact(*WRITES)

    return run


def test_a_conflict_with_another_transaction_is_tried_again(transact):
    table = Busy(["None", "TransactionConflict"], ["TransactionConflict", "None"])
    transact(table)
    assert table.asked == 3


def test_a_condition_that_fails_is_told_at_once_and_by_its_number(transact):
    table = Busy(["TransactionConflict", "ConditionalCheckFailed"])
    with pytest.raises(Cancelled) as refusal:
        transact(table)
    assert (refusal.value.failed, table.asked) == ([1], 1)


def test_conflicts_without_end_are_unavailable(transact):
    table = Busy(*[["TransactionConflict", "None"]] * 100)
    with pytest.raises(Unavailable):
        transact(table)
    assert table.asked == TRANSACTION_TRIES


def test_an_update_that_meets_a_transaction_is_tried_again(monkeypatch):
    class Met:
        asked = 0

        def update_item(self, **_request):
            self.asked += 1
            if self.asked < 3:
                raise ClientError({"Error": {"Code": "TransactionConflictException"}}, "UpdateItem")
            return {"Attributes": {"n": {"N": "2"}}}

    table = Met()
    monkeypatch.setattr(aws, "dynamodb", lambda: table)
    monkeypatch.setattr("chalicelib.store.time.sleep", lambda _seconds: None)
    assert AccountStore("a").update("thing", "a", "SET #n = :n", {"n": 2}, condition="attribute_exists(pk)") == {"n": 2}
    assert table.asked == 3
