"""One DynamoDB table, and the only door to it.

| item      | pk                            | sk                  | indexes                 |
|-----------|-------------------------------|---------------------|-------------------------|
| account   | {account}/account             | account             |                         |
| API key   | {account}/keys                | {key id}            |                         |
| image     | {account}/image/{id}          | image               | list, collection, sweep |
| embedding | {account}/image/{id}          | embedding           |                         |
| wanted by | {account}/image/{id}          | ranking#{id}        |                         |
| variant   | {account}/image/{id}          | variant#{hash}      |                         |
|           | {account}/variant/{hash}      | variant             |                         |
| preset    | {account}/presets             | {name}              |                         |
| ranking   | {account}/ranking/{id}        | ranking             | list, sweep             |
| entry     | {account}/ranking/{id}        | entry#{image}       |                         |
| answer    | {account}/answer/{key hash}   | answer              |                         |
| owner     | public/ranking/{id}           | owner               |                         |
| page      | {account}/page/{hour}-{group} | {start}#{part}      |                         |
| seen id   | {account}/seen/{digest}       | seen                |                         |
| layout    | {account}/layout              | layout              |                         |
| dirty     | {account}/dirty               | {hour}              | sweep, as rollup/{n}    |
| counts    | {account}/counts/{shard}      | H#{hour} or D#{day} |                         |
| rate      | {account}/rate/{key}#{minute} | rate                |                         |
| model     | {account}/model/{id}          | model               | list, sweep, retrain/{n} |
| version   | {account}/model/{id}          | version#{number}    |                         |
| live      | {account}/models              | live                |                         |
| trainings | {account}/trainings/{day}     | trainings           |                         |
| data set  | {account}/dataset/{id}        | dataset             |                         |
| progress  | {account}/campaign/{id}       | campaign#{shard}    |                         |
| chunk     | {account}/chunk/{chunk}       | chunk               | sweep                   |
| row       | {account}/chunk/{chunk}       | row#{recipient}     |                         |
| recipient | {account}/recipients/{segment} | {id}               |                         |
| token     | {account}/token/{digest}      | token               |                         |
| import    | {account}/import/{id}         | import              | sweep                   |
| game      | {account}/game                | game                | sweep, as standings/{n} |
| snapshot  | {account}/snapshot/{id}       | snapshot            |                         |
| latest    | {account}/snapshots           | latest              |                         |
| message   | {account}/inbox/{user}        | message#{what}      | list                    |
| read      | {account}/inbox/{user}        | read                |                         |

Every partition key begins with the account, and an `AccountStore` writes that part itself: a service cannot reach
another account's items, not even by mistake. Only what runs by the clock reads across accounts, by an index of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import msgspec

from chalicelib import aws, statements
from chalicelib.errors import Unavailable
from chalicelib.settings import settings

Item = dict[str, Any]

SWEEP_SHARDS = 8
BATCH_READ = 100
BATCH_WRITE = 25
INDEX_PAGES = 4  # of 1 MB, some 5,000 images each
TRANSACTION_TRIES = 6  # in a third of a second


class ConditionFailed(Exception):
    """The item was not as the write demanded: somebody else was first, or it is gone."""


class ItemFull(Exception):
    """The item would be larger than the 400 kB that DynamoDB keeps; nothing was written."""


class Cancelled(ConditionFailed):
    """Nothing of a transaction was written. failed: the numbers of the writes, from 0, whose condition did not hold."""

    def __init__(self, failed: list[int]):
        super().__init__(failed)
        self.failed = failed


class Page(msgspec.Struct, frozen=True):
    items: list[Item]
    next: str | None


class Write(msgspec.Struct, frozen=True):
    """One of a transaction's writes: a whole item that must be new, or an update as of `AccountStore.update`."""

    kind: str
    key: str
    item: Item = {}
    update: str = ""
    values: Item = {}
    condition: str = "attribute_not_exists(pk)"
    sk: str | None = None


class Change(msgspec.Struct, frozen=True):
    """Attributes to set and to remove, if the item is there and has the values of `where`."""

    key: str
    sk: str
    sets: Item
    where: Item
    removes: tuple[str, ...] = ()


class AccountStore(msgspec.Struct, frozen=True):
    """The items of one account. `kind` and `key` name a partition: ("image", id)."""

    account: str

    def pk(self, kind: str, key: str = "") -> str:
        return f"{self.account}/{kind}/{key}" if key else f"{self.account}/{kind}"

    def get(self, kind: str, key: str = "", sk: str | None = None) -> Item | None:
        answer = aws.dynamodb().get_item(
            TableName=settings().table, Key=_key(self.pk(kind, key), sk or kind), ConsistentRead=True
        )
        return aws.from_item(answer["Item"]) if "Item" in answer else None

    def put(self, kind: str, key: str, item: Item, *, sk: str | None = None, new: bool = False) -> None:
        """Write a whole item; with `new`, ConditionFailed if it is there already."""
        stored = {**item, "pk": self.pk(kind, key), "sk": sk or kind}
        condition = {"ConditionExpression": "attribute_not_exists(pk)"} if new else {}
        with _conditions():
            aws.dynamodb().put_item(TableName=settings().table, Item=aws.to_item(stored), **condition)  # type: ignore[arg-type]

    def replace(self, kind: str, key: str, item: Item, values: Item, *, condition: str, sk: str | None = None) -> None:
        """Write a whole item if what is there fulfils the condition; else ConditionFailed."""
        with _conditions():
            aws.dynamodb().put_item(
                TableName=settings().table,
                Item=aws.to_item({**item, "pk": self.pk(kind, key), "sk": sk or kind}),
                **_condition(condition, values),
            )

    def add(self, kind: str, key: str, sk: str, sets: dict[str, set[bytes]], expires: int) -> None:
        """Add to sets of an item that need not exist, at most 300 of them: DynamoDB's limit of a request.

        The same again changes nothing. Raises ItemFull.
        """
        added = ", ".join(f"#{number} :{number}" for number in range(len(sets)))
        names = {f"#{number}": name for number, name in enumerate(sets)}
        values = {f":{number}": digests for number, digests in enumerate(sets.values())}
        with _full_items():
            aws.dynamodb().update_item(
                TableName=settings().table,
                Key=_key(self.pk(kind, key), sk),
                UpdateExpression=f"SET expires = :expires ADD {added}",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=aws.to_item({**values, ":expires": expires}),
            )

    def put_many(self, kind: str, items: list[tuple[str, str, Item]]) -> None:
        """Write (key, sort key, item) rows, at most 25 a call; what DynamoDB leaves over is sent again."""
        puts: list[Any] = [
            {"PutRequest": {"Item": aws.to_item({**item, "pk": self.pk(kind, key), "sk": sk})}}
            for key, sk, item in items
        ]
        _write_all(puts)

    def update(self, kind: str, key: str, update: str, values: Item, *, condition: str, sk: str | None = None) -> Item:
        """One conditional update; the item as it is afterwards, or ConditionFailed.

        update, condition: DynamoDB expressions; `#name` stands for the attribute of that name, `:name` for a value.
        """
        used = _names(update) | _names(condition)
        request: Any = {
            "TableName": settings().table,
            "Key": _key(self.pk(kind, key), sk or kind),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in used},
            "ExpressionAttributeValues": aws.to_item({f":{name}": value for name, value in values.items()}),
            "ReturnValues": "ALL_NEW",
        }
        with _conditions():
            answer: Any = _unless_in_transaction(lambda: aws.dynamodb().update_item(**request))
        return aws.from_item(answer["Attributes"])

    def transact(self, *writes: Write) -> None:
        """All of these writes or, when one condition does not hold, none: Cancelled tells which.

        Raises Unavailable where others keep writing to one of the items at the very same moment.
        """
        actions: list[Any] = [self._action(write) for write in writes]
        for attempt in range(TRANSACTION_TRIES):
            try:
                aws.dynamodb().transact_write_items(TransactItems=actions)
            except Exception as error:
                if failed := _refused(error):
                    raise Cancelled(failed) from error
                if aws.error_code(error) != "TransactionCanceledException":
                    raise
                time.sleep(0.01 * 2**attempt)
            else:
                return
        raise Unavailable("Others are changing the same; try again.")

    def _action(self, write: Write) -> Any:
        pk, sk = self.pk(write.kind, write.key), write.sk or write.kind
        if not write.update:
            item = aws.to_item({**write.item, "pk": pk, "sk": sk})
            put = {"TableName": settings().table, "Item": item, "ConditionExpression": write.condition}
            return {"Put": put}
        expressions = _condition(f"{write.condition} {write.update}", write.values)
        expressions |= {"ConditionExpression": write.condition, "UpdateExpression": write.update}
        return {"Update": {"TableName": settings().table, "Key": _key(pk, sk), **expressions}}

    def insert_many(self, kind: str, items: list[tuple[str, str, Item]]) -> list[statements.Answer]:
        """Write those of the (key, sort key, item) rows that are not there yet. Raises Unavailable; safe to repeat."""
        return statements.run(
            [statements.insert({**item, "pk": self.pk(kind, key), "sk": sk}) for key, sk, item in items]
        )

    def change_many(self, kind: str, changes: list[Change]) -> list[statements.Answer]:
        """Conditional changes of items, each for itself, in any order; see `statements.run` for lost answers."""
        return statements.run(
            [
                statements.update(self.pk(kind, each.key), each.sk, each.sets, each.removes, each.where)
                for each in changes
            ]
        )

    def delete(self, kind: str, key: str, sk: str | None = None) -> None:
        aws.dynamodb().delete_item(TableName=settings().table, Key=_key(self.pk(kind, key), sk or kind))

    def remove(self, kind: str, key: str, values: Item, *, condition: str, sk: str | None = None) -> None:
        """Delete an item if it fulfils the condition; else ConditionFailed."""
        with _conditions():
            aws.dynamodb().delete_item(
                TableName=settings().table, Key=_key(self.pk(kind, key), sk or kind), **_condition(condition, values)
            )

    def partition(self, kind: str, key: str = "", prefix: str = "") -> list[Item]:
        """All items of one partition whose sort key begins with `prefix`."""
        if not prefix:
            return self._query("pk = :pk", {":pk": self.pk(kind, key)})
        return self._query("pk = :pk AND begins_with(sk, :prefix)", {":pk": self.pk(kind, key), ":prefix": prefix})

    def attributes(self, kind: str, key: str, prefix: str, *names: str) -> list[Item]:
        """These attributes alone of the items of one partition whose sort key begins with `prefix`."""
        return self._query(
            "pk = :pk AND begins_with(sk, :prefix)",
            {":pk": self.pk(kind, key), ":prefix": prefix},
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
        )

    def sort_keys(self, kind: str, key: str) -> list[str]:
        """The sort keys alone of one partition's items, in order."""
        found = self._query("pk = :pk", {":pk": self.pk(kind, key)}, ProjectionExpression="sk")
        return [item["sk"] for item in found]

    def between(self, kind: str, key: str, first: str, last: str) -> list[Item]:
        """The items of one partition whose sort keys are from `first` to `last`, both included."""
        return self._query(
            "pk = :pk AND sk BETWEEN :first AND :last", {":pk": self.pk(kind, key), ":first": first, ":last": last}
        )

    def stretch(self, kind: str, key: str, limit: int, *, after: str | None, to: str | None) -> list[Item]:
        """At most `limit` items of one partition, ascending, with sort keys behind `after` and up to `to` itself."""
        # Nothing stands between a key and itself with a zero behind it.
        first, condition = (
            f"{after}\0" if after else "\0",
            "sk >= :first" if to is None else "sk BETWEEN :first AND :to",
        )
        if to is not None and to < first:
            return []
        values = {":pk": self.pk(kind, key), ":first": first, ":to": to}
        request: Any = {
            "TableName": settings().table,
            "KeyConditionExpression": f"pk = :pk AND {condition}",
            "ExpressionAttributeValues": aws.to_item(values),
            "ConsistentRead": True,
        }
        items: list[Item] = []
        while len(items) < limit:
            page = aws.dynamodb().query(**request, Limit=limit - len(items))
            items += [aws.from_item(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return items

    def newest(self, kind: str, key: str, prefix: str) -> Item | None:
        """The item of one partition with the greatest sort key that begins with `prefix`."""
        answer = aws.dynamodb().query(
            TableName=settings().table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=aws.to_item({":pk": self.pk(kind, key), ":prefix": prefix}),
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=1,
        )
        return aws.from_item(answer["Items"][0]) if answer["Items"] else None

    def _query(self, condition: str, values: Item, **more: Any) -> list[Item]:
        pages = (
            aws.dynamodb()
            .get_paginator("query")
            .paginate(
                TableName=settings().table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=aws.to_item(values),
                ConsistentRead=True,
                **more,
            )
        )
        return [aws.from_item(item) for page in pages for item in page["Items"]]

    def delete_partition(self, kind: str, key: str) -> None:
        """Delete a partition, its head item last: while that stands, an interrupted deletion can be asked for again."""
        rest = [item for item in self.partition(kind, key) if item["sk"] != kind]
        _write_all([{"DeleteRequest": {"Key": _key(item["pk"], item["sk"])}} for item in rest])
        self.delete(kind, key)

    def page(
        self, kind: str, limit: int, cursor: str | None, *, collection: str | None = None, state: str | None = None
    ) -> Page:
        """Items newest first, by the `list` or `collection` index; `cursor` is the last id of the page before."""
        index, attribute, partition = "list", "list_pk", self.pk(kind)
        if collection is not None:
            index, attribute, partition = "collection", "collection_pk", self.pk(kind, collection)
        query: dict[str, Any] = {
            "KeyConditionExpression": f"{attribute} = :pk" + (" AND list_sk < :after" if cursor else ""),
            "ExpressionAttributeValues": aws.to_item(
                {":pk": partition, **({":after": cursor} if cursor else {}), **({":state": state} if state else {})}
            ),
        }
        if state:
            query |= {"FilterExpression": "#state = :state", "ExpressionAttributeNames": {"#state": "state"}}
        keys, stopped_at = self._keys(index, query, limit + 1)
        if len(keys) > limit:
            keys, stopped_at = keys[:limit], keys[limit - 1]
        return Page(self.get_many(kind, keys), stopped_at)

    def listed(self, kind: str, key: str, first: str, last: str, limit: int) -> list[Item]:
        """The newest items of one partition whose places in the `list` index are from `first` to `last`."""
        answer = aws.dynamodb().query(**self._list(kind, key, first, last), ScanIndexForward=False, Limit=limit)
        return self.get_rows(kind, [(key, item["sk"]["S"]) for item in answer["Items"]])

    def count_listed(self, kind: str, key: str, first: str, last: str, limit: int) -> int:
        """How many items `listed` would find, at most `limit`."""
        return int(aws.dynamodb().query(**self._list(kind, key, first, last), Select="COUNT", Limit=limit)["Count"])

    def _list(self, kind: str, key: str, first: str, last: str) -> Any:
        return {
            "TableName": settings().table,
            "IndexName": "list",
            "KeyConditionExpression": "list_pk = :pk AND list_sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": aws.to_item({":pk": self.pk(kind, key), ":first": first, ":last": last}),
        }

    def _keys(self, index: str, query: dict[str, Any], wanted: int) -> tuple[list[str], str | None]:
        """Ids in the index, newest first, and where reading stopped though there may be more.

        A filter can leave little of much: after a few pages of the index the caller gets what was found so far.
        """
        keys: list[str] = []
        request = {"TableName": settings().table, "IndexName": index, "ScanIndexForward": False, **query}
        for _ in range(INDEX_PAGES):
            page: Any = aws.dynamodb().query(**request)
            keys += [item["pk"]["S"].rsplit("/", 1)[1] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return keys, None
            if len(keys) >= wanted:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return keys, str(page["LastEvaluatedKey"]["list_sk"]["S"])

    def every_key(self, kind: str, collection: str) -> list[str]:
        """The ids of everything in a collection, newest first."""
        request: dict[str, Any] = {
            "TableName": settings().table,
            "IndexName": "collection",
            "KeyConditionExpression": "collection_pk = :pk",
            "ExpressionAttributeValues": aws.to_item({":pk": self.pk(kind, collection)}),
            "ScanIndexForward": False,
        }
        pages = aws.dynamodb().get_paginator("query").paginate(**request)
        return [item["pk"]["S"].rsplit("/", 1)[1] for page in pages for item in page["Items"]]

    def get_many(self, kind: str, keys: Iterable[str]) -> list[Item]:
        """The items that exist, in the order of `keys`."""
        return self.get_rows(kind, [(key, kind) for key in keys])

    def get_rows(self, kind: str, rows: Iterable[tuple[str, str]]) -> list[Item]:
        """The items of these keys and sort keys that exist, in their order."""
        wanted = list(dict.fromkeys((self.pk(kind, key), sk) for key, sk in rows))
        found: dict[tuple[str, str], Item] = {}
        for start in range(0, len(wanted), BATCH_READ):
            chunk: Any = [_key(*row) for row in wanted[start : start + BATCH_READ]]
            while chunk:
                answer: Any = aws.dynamodb().batch_get_item(
                    RequestItems={settings().table: {"Keys": chunk, "ConsistentRead": True}}
                )
                for item in answer["Responses"].get(settings().table, []):
                    decoded = aws.from_item(item)
                    found[decoded["pk"], decoded["sk"]] = decoded
                chunk = answer.get("UnprocessedKeys", {}).get(settings().table, {}).get("Keys")
        return [found[row] for row in wanted if row in found]


def _write_all(requests: list[Any]) -> None:
    while requests:
        now, requests = requests[:BATCH_WRITE], requests[BATCH_WRITE:]
        answer = aws.dynamodb().batch_write_item(RequestItems={settings().table: now})
        requests += answer.get("UnprocessedItems", {}).get(settings().table, [])


# What anybody may ask who has a name alone: which account a ranking is of.
PUBLIC = AccountStore("public")


def sweep_shard(key: str, line: str = "sweep") -> str:
    return f"{line}/{crc32(key.encode()) % SWEEP_SHARDS}"


def overdue(now: float, limit: int, line: str = "sweep") -> Iterator[tuple[AccountStore, str, str]]:
    """(store, kind, id) of what stands still since before `now`, at most `limit` of each shard."""
    for pk, _sk in _due(line, now, limit):
        account, kind, key = pk.split("/")
        yield AccountStore(account), kind, key


def waiting(line: str, now: float, limit: int) -> Iterator[tuple[AccountStore, str]]:
    """(store, sort key) of what waits in a line of its own, `sweep_shard(..., line)`, and is due."""
    for pk, sk in _due(line, now, limit):
        yield AccountStore(pk.split("/")[0]), sk


def _due(line: str, now: float, limit: int) -> Iterator[tuple[str, str]]:
    for shard in range(SWEEP_SHARDS):
        answer = aws.dynamodb().query(
            TableName=settings().table,
            IndexName="sweep",
            KeyConditionExpression="sweep_pk = :pk AND sweep_at <= :now",
            ExpressionAttributeValues=aws.to_item({":pk": f"{line}/{shard}", ":now": int(now)}),
            Limit=limit,
        )
        for item in answer["Items"]:
            yield item["pk"]["S"], item["sk"]["S"]


def _unless_in_transaction[T](write: Callable[[], T]) -> T:
    """Write again what met a transaction at the same item, which boto3 does not do. Raises Unavailable."""
    for attempt in range(TRANSACTION_TRIES):
        try:
            return write()
        except Exception as error:
            if aws.error_code(error) != "TransactionConflictException":
                raise
        time.sleep(0.01 * 2**attempt)
    raise Unavailable("Others are changing the same; try again.")


def _key(pk: str, sk: str) -> Any:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _condition(condition: str, values: Item) -> Any:
    """The parts of a request that make it conditional, as `AccountStore.update` spells them."""
    return {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in _names(condition)},
        "ExpressionAttributeValues": aws.to_item({f":{name}": value for name, value in values.items()}),
    }


def _refused(error: Exception) -> list[int]:
    """The numbers of a transaction's writes whose condition did not hold."""
    reasons = (getattr(error, "response", None) or {}).get("CancellationReasons", [])
    return [number for number, reason in enumerate(reasons) if reason["Code"] == "ConditionalCheckFailed"]


def _names(expression: str) -> set[str]:
    return set(re.findall(r"#(\w+)", expression))


@contextmanager
def _conditions() -> Iterator[None]:
    """DynamoDB's refusal of a conditional write as ConditionFailed."""
    try:
        yield
    except Exception as error:
        if aws.error_code(error) == "ConditionalCheckFailedException":
            raise ConditionFailed from error
        raise


@contextmanager
def _full_items() -> Iterator[None]:
    """DynamoDB's refusal of an item over 400 kB as ItemFull."""
    try:
        yield
    except Exception as error:
        if aws.error_code(error) == "ValidationException" and "Item size" in str(error):
            raise ItemFull from error
        raise
