"""The contract as OpenAPI 3.1, made from the same declarations that validate requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from chalicelib import contract
from chalicelib.http import PATH_VALUE, Endpoint
from chalicelib.settings import VERSION

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"
MEANINGS = {
    400: "The request cannot be understood; `field` names the place.",
    401: "No valid token or key.",
    403: "The role is missing.",
    404: "Not there, or another account's.",
    200: "The bytes.",
    304: "The bytes are the ones that the caller has.",
    410: "It was there until a stated time.",
    409: "The state, or an earlier request with this Idempotency-Key, does not allow it.",
    413: "Too large.",
    414: "The address is too long.",
    415: "The wrong type.",
    422: "Valid JSON, but impossible.",
    429: "Too much at once; see Retry-After.",
    500: "Our mistake; the request id finds it in the logs.",
    503: "A service does not answer; see Retry-After.",
}
BODYLESS = {204, 302, 304}
REQUEST_ID = {"description": "Names this request in the logs.", "schema": {"type": "string"}}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body give the same answer for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
}
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A Cognito ID or access token, or an API key (`ps_...`).",
}


def document(endpoints: Sequence[Endpoint]) -> Schema:
    """The whole document; its size is about 40 kB."""
    types = {kind for endpoint in endpoints for kind in (endpoint.body, endpoint.query, endpoint.answer) if kind}
    _, schemas = msgspec.json.schema_components([*sorted(types, key=str), contract.Refusal], ref_template=REF)
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        described = operation(endpoint, schemas)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = described
        if endpoint.head:
            paths[endpoint.path]["head"] = {**described, "operationId": f"head_{endpoint.view.__name__}"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Proofsheet",
            "version": VERSION,
            "summary": "Rank images by the engagement that a model predicts, and deliver them at any size.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"bearer": BEARER}},
    }


def operation(endpoint: Endpoint, schemas: dict[str, Schema]) -> Schema:
    described: Schema = {
        "operationId": endpoint.view.__name__,
        "summary": (endpoint.view.__doc__ or "").strip(),
        "tags": [endpoint.tag],
        "parameters": parameters(endpoint, schemas),
        "responses": responses(endpoint),
        "security": [] if endpoint.access == "open" else [{"bearer": []}],
    }
    if endpoint.body:
        required = any(field.required for field in msgspec.structs.fields(endpoint.body))
        content = {"application/json": {"schema": _ref(endpoint.body)}}
        described["requestBody"] = {"required": required, "content": content}
    if endpoint.takes_bytes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(endpoint.takes_bytes, binary)}
    return described


def parameters(endpoint: Endpoint, schemas: dict[str, Schema]) -> list[Schema]:
    found: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PATH_VALUE.pattern}$"},
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    if endpoint.query:
        shape = schemas[endpoint.query.__name__]
        found += [
            {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": _no_null(schema)}
            for name, schema in shape["properties"].items()
        ]
    return [*found, IDEMPOTENCY_KEY] if endpoint.replays else found


def responses(endpoint: Endpoint) -> Schema:
    found = {str(endpoint.status): success(endpoint, endpoint.status, "Done.")}
    found |= {str(status): success(endpoint, status, MEANINGS[status]) for status in endpoint.others}
    return found | {str(status): refusal(status) for status in sorted(refused(endpoint))}


def success(endpoint: Endpoint, status: int, meaning: str) -> Schema:
    described: Schema = {"description": meaning, "headers": {"X-Request-Id": REQUEST_ID}}
    if status == 302:
        described["headers"]["Location"] = {"schema": {"type": "string"}}
    if status not in BODYLESS:
        schema = _ref(endpoint.answer) if endpoint.answer else {}
        described["content"] = {endpoint.gives: {"schema": schema}}
    return described


def refused(endpoint: Endpoint) -> set[int]:
    statuses = {429, 500, 503, *endpoint.refuses}
    if endpoint.access != "open":
        statuses |= {401, 403}
    if endpoint.query or endpoint.body:
        statuses |= {400}
    if endpoint.query:
        statuses |= {422}
    if endpoint.body or endpoint.takes_bytes:
        statuses |= {409, 413, 415, 422} if endpoint.body else {413, 415, 422}
    return statuses


def refusal(status: int) -> Schema:
    headers: Schema = {"X-Request-Id": REQUEST_ID}
    if status in (429, 503):
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
    schema = {"$ref": REF.format(name="Refusal")}
    return {"description": MEANINGS[status], "headers": headers, "content": {"application/json": {"schema": schema}}}


def _ref(kind: type) -> Schema:
    return {"$ref": REF.format(name=kind.__name__)}


def _no_null(schema: Schema) -> Schema:
    """A query has no null: an optional value is simply left out."""
    kept = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**rest, **kept[0]} if len(kept) == 1 else schema
