"""Many conditional writes in one request: DynamoDB's BatchExecuteStatement, up to 25 statements of PartiQL.

Each statement is a write of its own with its own condition, and costs what that write costs alone; a transaction would
cost twice, and fail as a whole. Sent by `lean`, a call of 25 takes the processor time of one.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from chalicelib import aws, lean, log
from chalicelib.errors import Unavailable
from chalicelib.settings import settings

Item = dict[str, Any]

A_CALL = 25  # the limit of DynamoDB
PAUSES = (0.05, 0.2)  # seconds before the second and the third try
AGAIN = frozenset(
    (
        *("RequestLimitExceeded", "ProvisionedThroughputExceeded", "TransactionConflict"),
        *("ThrottlingError", "Throttling", "InternalServerError"),
    )
)


class Statement(msgspec.Struct, frozen=True):
    text: str
    parameters: list[Any]


class Answer(msgspec.Struct, frozen=True):
    """done: whether the write was made; else `found` is the item that did not fulfil the condition, {} for none."""

    done: bool
    found: Item = {}


def insert(item: Item) -> Statement:
    """Write a whole item if it is not there."""
    stored = aws.to_item(item)
    names = ", ".join(f"'{name}': ?" for name in stored)
    return Statement(f'INSERT INTO "{settings().table}" VALUE {{{names}}}', list(stored.values()))


def update(pk: str, sk: str, sets: Item, removes: tuple[str, ...], where: Item) -> Statement:
    """Set and remove attributes of an item that is there and has these values."""
    to, demanded = aws.to_item(sets), aws.to_item({"pk": pk, "sk": sk, **where})
    changes = [*(f'SET "{name}" = ?' for name in to), *(f'REMOVE "{name}"' for name in removes)]
    conditions = " AND ".join(f'"{name}" = ?' for name in demanded)
    text = f'UPDATE "{settings().table}" {" ".join(changes)} WHERE {conditions}'
    return Statement(text, [*to.values(), *demanded.values()])


def run(statements: list[Statement]) -> list[Answer]:
    """Run the statements in any order, each once or, where an answer is lost, more often.

    So a statement that succeeded unheard may be answered by the item that it left. Raises Unavailable when some were
    neither done nor refused in three tries; others of them may be done.
    """
    answers: dict[int, Answer] = {}
    for pause in (*PAUSES, None):
        left = [number for number in range(len(statements)) if number not in answers]
        for start in range(0, len(left), A_CALL):
            numbers = left[start : start + A_CALL]
            answers |= _call({number: statements[number] for number in numbers})
        if len(answers) == len(statements):
            return [answers[number] for number in range(len(statements))]
        if pause is not None:
            time.sleep(pause)
    raise Unavailable("The table did not take every write.")


def _call(statements: dict[int, Statement]) -> dict[int, Answer]:
    """What became of those that were done or refused; nothing of the others."""
    batch = [
        {"Statement": each.text, "Parameters": each.parameters, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        for each in statements.values()
    ]
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.BatchExecuteStatement",
    }
    body = msgspec.json.encode({"Statements": batch, "ReturnConsumedCapacity": "TOTAL"})
    try:
        status, data = lean.post("dynamodb", lean.endpoint("dynamodb"), headers, body)
        answer = msgspec.json.decode(data)
    except (lean.Unanswered, msgspec.DecodeError):
        return {}
    if status != 200:
        return _not_taken(status, answer)
    _count(answer)
    found = {number: _answer(each) for number, each in zip(statements, answer["Responses"], strict=True)}
    return {number: each for number, each in found.items() if each is not None}


def _not_taken(status: int, answer: Any) -> dict[int, Answer]:
    code = str(answer.get("__type", status)).rpartition("#")[2]
    if status < 500 and code.removesuffix("Exception") not in AGAIN:
        raise ValueError(f"DynamoDB refuses the statements: {code} {answer.get('message', '')}")
    return {}


def _answer(response: Any) -> Answer | None:
    if "Error" not in response:
        return Answer(done=True)
    code = response["Error"]["Code"]
    if code in AGAIN:
        return None
    if code not in ("ConditionalCheckFailed", "DuplicateItem"):
        raise ValueError(f"DynamoDB refuses a statement: {code} {response['Error'].get('Message', '')}")
    item = response["Error"].get("Item") or response.get("Item") or {}
    return Answer(done=False, found=aws.from_item(item))


def _count(answer: Any) -> None:
    log.count("dynamodb.BatchExecuteStatement")
    units = sum(each["CapacityUnits"] for each in answer.get("ConsumedCapacity") or ())
    log.count("dynamodb.BatchExecuteStatement.units", units)
