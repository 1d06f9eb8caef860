"""Many conditional writes in one request: what is tried again, and what an answer says."""

import json
from types import SimpleNamespace

import pytest

from chalicelib import lean, log, statements
from chalicelib.errors import Unavailable
from chalicelib.statements import Answer, Statement

DONE, FULL = {}, {"Error": {"Code": "ThrottlingError"}}
REFUSED = {"Error": {"Code": "ConditionalCheckFailed", "Item": {"state": {"S": "sent"}}}}
LOST = lean.Unanswered("timeout", sent=True)


@pytest.fixture
def table(monkeypatch):
    """table(*answers): what each request is answered, and how many statements each had."""
    monkeypatch.setattr(statements, "time", SimpleNamespace(sleep=lambda _seconds: None))
    monkeypatch.setattr(log, "_emit", lambda _line: None)

    def make(*answers):
        sizes, coming = [], iter(answers)

        def post(_service, _url, _headers, body):
            sizes.append(len(json.loads(body)["Statements"]))
            answer = next(coming)
            if isinstance(answer, Exception):
                raise answer
            status, data = answer if isinstance(answer, tuple) else (200, {"Responses": answer})
            return status, json.dumps(data).encode()

        monkeypatch.setattr(lean, "post", post)
        return sizes

    return make


def some(number):
    return [Statement("UPDATE", []) for _ in range(number)]


def test_twenty_five_go_into_one_request(table):
    sizes = table([DONE] * 25, [DONE] * 5)
    assert statements.run(some(30)) == [Answer(done=True)] * 30
    assert sizes == [25, 5]


def test_only_what_was_neither_done_nor_refused_is_tried_again(table):
    sizes = table([DONE, FULL, REFUSED], [DONE])
    assert [answer.done for answer in statements.run(some(3))] == [True, True, False]
    assert sizes == [3, 1]


def test_a_refusal_shows_the_item(table):
    table([REFUSED])
    assert statements.run(some(1)) == [Answer(done=False, found={"state": "sent"})]


@pytest.mark.parametrize("trouble", [LOST, (500, {}), (400, {"__type": "x#ThrottlingException"}), [FULL]])
def test_three_tries_in_vain_are_unavailable(table, trouble):
    sizes = table(trouble, trouble, trouble)
    with pytest.raises(Unavailable):
        statements.run(some(1))
    assert len(sizes) == 3


@pytest.mark.parametrize(
    "trouble", [(400, {"__type": "x#ValidationException"}), [{"Error": {"Code": "ValidationError"}}]]
)
def test_a_wrong_statement_is_not_tried_again(table, trouble):
    sizes = table(trouble)
    with pytest.raises(ValueError, match="DynamoDB refuses"):
        statements.run(some(1))
    assert len(sizes) == 1


def test_the_statements_name_every_attribute(table):
    made = statements.update("a/chunk/c", "row#u", {"state": "sent", "at": 5}, ("text",), {"token": "t", "state": None})
    assert made.text == (
        'UPDATE "proofsheet-local-main" SET "state" = ? SET "at" = ? REMOVE "text" '
        'WHERE "pk" = ? AND "sk" = ? AND "token" = ?'
    )
    assert made.parameters == [{"S": "sent"}, {"N": "5"}, {"S": "a/chunk/c"}, {"S": "row#u"}, {"S": "t"}]
