"""Let API Gateway answer 405 for a known path with a method that it does not take.

By itself it tells such a request from an unknown path by nothing: both are "Missing Authentication Token". So each path
gets an ANY method that is answered by a mock integration, which costs no invocation.
"""

from __future__ import annotations

import json
from typing import Any

EXTENSION = "x-amazon-apigateway-"
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
# A mock integration reads its status from the request, through the template of the request's content type.
CONTENT_TYPES = (
    "application/json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "image/jpeg",
    "image/png",
    "multipart/form-data",
    "text/plain",
)


def refuse(paths: dict[str, dict[str, Any]]) -> None:
    """Give every path of a Swagger document its refusal of the methods that it lacks."""
    for item in paths.values():
        allowed = ", ".join(sorted(method.upper() for method in item.keys() & METHODS))
        item[EXTENSION + "any-method"] = _refusal(allowed)


def _refusal(allowed: str) -> dict[str, Any]:
    headers = {
        "Allow": f"'{allowed}'",
        "Access-Control-Allow-Origin": "'*'",
        "Access-Control-Expose-Headers": "'X-Request-Id'",
        "X-Request-Id": "context.requestId",
    }
    error = {"error": {"code": "method_not_allowed", "message": f"This path takes {allowed}."}}
    return {
        "responses": {
            "405": {"description": "405 response", "headers": {name: {"type": "string"} for name in headers}}
        },
        EXTENSION + "integration": {
            "type": "mock",
            # All bodies are binary to this API, and a mock reads text alone.
            "contentHandling": "CONVERT_TO_TEXT",
            # Any other type is refused with 415; passed through, its body has no status, and the answer would be a 5xx.
            "passthroughBehavior": "never",
            "requestTemplates": dict.fromkeys(CONTENT_TYPES, '{"statusCode": 405}'),
            "responses": {
                "default": {
                    "statusCode": "405",
                    "responseParameters": {f"method.response.header.{name}": value for name, value in headers.items()},
                    "responseTemplates": {"application/json": json.dumps(error)},
                }
            },
        },
    }
