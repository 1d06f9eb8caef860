"""DynamoDB as far as campaigns use it: conditions, transactions and PartiQL over items in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]


class Table:
    """DynamoDB as far as campaigns use it, in its own wire format.

    edge: called before and after every request. committed: called with every transaction.
    """

    def __init__(self, edge: Callable[[], None], committed: Callable[[], None]):
        self.edge, self.committed = edge, committed
        self.items: dict[tuple[str, str], Item] = {}

    def get_item(self, Key: Item, **_: Any) -> Item:  # noqa: N803 - boto3's own names, here and below
        self.edge()
        found = self.items.get(place(Key))
        self.edge()
        return {"Item": found} if found else {}

    def batch_get_item(self, RequestItems: Item) -> Item:  # noqa: N803
        self.edge()
        [(table, wanted)] = RequestItems.items()
        found = [self.items[place(key)] for key in wanted["Keys"] if place(key) in self.items]
        self.edge()
        return {"Responses": {table: found}}

    def put_item(self, Item: Item, **condition: Any) -> Item:  # noqa: N803
        return self._write([{"Put": {"Item": Item, **condition}}], "ConditionalCheckFailedException")

    def update_item(self, **request: Any) -> Item:
        self._write([{"Update": request}], "ConditionalCheckFailedException")
        return {"Attributes": self.items[place(request["Key"])]}

    def transact_write_items(self, TransactItems: list[Item]) -> Item:  # noqa: N803
        return self._write(TransactItems, "TransactionCanceledException", self.committed)

    def get_paginator(self, _method: str) -> Table:
        return self

    def paginate(self, **request: Any) -> list[Item]:
        self.edge()
        values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
        found = self.partition(values[":pk"], values.get(":prefix", ""))
        if names := request.get("ExpressionAttributeNames"):
            found = [{name: item[name] for name in names.values() if name in item} for item in found]
        self.edge()
        return [{"Items": found}]

    def partition(self, pk: str, prefix: str = "") -> list[Item]:
        return [self.items[key] for key in sorted(self.items) if key[0] == pk and key[1].startswith(prefix)]

    def _write(self, writes: list[Item], refused: str, then: Callable[[], None] = lambda: None) -> Item:
        self.edge()
        requests = [next(iter(write.values())) for write in writes]
        held = [self._holds(request) for request in requests]
        if not all(held):
            reasons = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in held]
            raise ClientError({"Error": {"Code": refused, "Message": ""}, "CancellationReasons": reasons}, "")
        for request in requests:
            self._store(request)
        then()
        self.edge()
        return {}

    def _holds(self, request: Item) -> bool:
        item = self.items.get(place(request.get("Key") or request["Item"]), {})
        condition = request.get("ConditionExpression")
        return not condition or holds(condition)(item, request.get("ExpressionAttributeValues"), compare)

    def _store(self, request: Item) -> None:
        if "Item" in request:
            self.items[place(request["Item"])] = request["Item"]
            return
        item = dict(self.items.get(place(request["Key"]), request["Key"]))
        values = request["ExpressionAttributeValues"]
        for verb, name, value in changes(request["UpdateExpression"]):
            if verb == "SET":
                item[name] = values[value]
            elif verb == "ADD":
                item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(values[value]["N"]))}
            else:
                item.pop(name, None)
        self.items[place(request["Key"])] = item

    # PartiQL

    def execute(self, statement: str, parameters: list[Item]) -> Item:
        verb, sets, removes, where = partiql(statement)
        given = dict(zip((*sets, *where), parameters, strict=True))
        key = given["pk"]["S"], given["sk"]["S"]
        item = self.items.get(key)
        if verb == "INSERT":
            if item is not None:
                return {"Error": {"Code": "DuplicateItem", "Message": ""}}
            self.items[key] = given
            return {}
        demanded = dict(zip(where, parameters[len(sets) :], strict=True))
        if item is None or any(item.get(name) != value for name, value in demanded.items()):
            return {"Error": {"Code": "ConditionalCheckFailed", "Item": item or {}}}
        kept = {name: value for name, value in item.items() if name not in removes}
        self.items[key] = kept | dict(zip(sets, parameters, strict=False))
        return {}


def place(key: Item) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def compare(item: Item, name: str, operator: str, value: Item) -> bool:
    """As DynamoDB does: what is not there is neither equal nor less nor more."""
    if name not in item:
        return False
    left, right = (int(each["N"]) if "N" in each else each for each in (item[name], value))
    if operator == "=":
        return bool(left == right)
    return bool({"<=": left <= right, "<": left < right, ">": left > right, ">=": left >= right}[operator])


@lru_cache
def holds(condition: str) -> Callable[..., bool]:
    """A condition as a function of the item and the values."""
    source = re.sub(r"attribute_not_exists\(#?(\w+)\)", r"('\1' not in item)", condition)
    source = re.sub(r"attribute_exists\(#?(\w+)\)", r"('\1' in item)", source)
    source = re.sub(r"#(\w+) (<=|>=|<|>|=) (:\w+)", r"compare(item, '\1', '\2', values['\3'])", source)
    source = source.replace(" AND ", " and ").replace(" OR ", " or ")
    made: Callable[..., bool] = eval(f"lambda item, values, compare: {source}")  # noqa: S307 - of our own expressions
    return made


@lru_cache
def changes(update: str) -> list[tuple[str, str, str]]:
    """(SET, ADD or REMOVE, attribute, value) of an update."""
    found, verb = [], ""
    for word in re.finditer(r"(SET|ADD|REMOVE) |#(\w+)(?: =)?(?: (:\w+))?", update):
        if word[1]:
            verb = word[1]
        else:
            found.append((verb, word[2], word[3] or ""))
    return found


@lru_cache
def partiql(statement: str) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(INSERT or UPDATE, attributes to set, to remove, to compare)."""
    if statement.startswith("INSERT"):
        return "INSERT", tuple(re.findall(r"'(\w+)': \?", statement)), (), ()
    change, _, where = statement.partition(" WHERE ")
    sets, removes = (tuple(re.findall(rf'{verb} "(\w+)"', change)) for verb in ("SET", "REMOVE"))
    return "UPDATE", sets, removes, tuple(re.findall(r'"(\w+)" = \?', where))
