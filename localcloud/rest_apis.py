"""What ministack 1.5.33 drops of a REST API that CloudFormation imports from a Swagger document.

| shim            | without it                                                              | upstream                 |
|-----------------|-------------------------------------------------------------------------|--------------------------|
| whole_import    | the document's binary media types, gateway responses, compression and   | no issue found (2026-11) |
|                 | ANY methods are ignored, and MOCK integrations lose their answers:      |                          |
|                 | corrupt images, errors in AWS's words, preflights without CORS          |                          |
| mock_context    | a mock's header from the context, such as the request id, is its name   | no issue found (2026-11) |
| first_type      | a client without Accept gets a picture as the base64 that the function  | no issue found (2026-11) |
|                 | answered, and its body without Content-Type goes as broken text         |                          |
| update_in_place | a changed document gives the API another id, so its address changes     | known to its authors     |
| limits          | a body over 10 MB reaches the function                                  | no issue found (2026-11) |

Each has a contract test in tests/localcloud/test_deployed_shims.py.
"""

from __future__ import annotations

import uuid
from typing import Any

BODY_LIMIT = 10 * 1024 * 1024
EXTENSION = "x-amazon-apigateway-"
# What an import makes of a document, beside the API itself; all are kept by API id.
IMPORTED = ("_resources", "_authorizers_v1", "_models", "_gateway_responses")


def install() -> None:
    whole_import()
    mock_context()
    first_type()
    update_in_place()
    limits()


def whole_import() -> None:
    from ministack.services import apigateway_v1 as gateway

    import_api = gateway._import_rest_api  # noqa: SLF001
    import_operation = gateway._import_operation  # noqa: SLF001
    import_path = gateway._import_path_item  # noqa: SLF001

    def imported(spec: dict[str, Any], base: dict[str, Any] | None = None) -> str:
        own = dict(base or {})
        own["binaryMediaTypes"] = own.get("binaryMediaTypes") or spec.get(EXTENSION + "binary-media-types", [])
        if own.get("minimumCompressionSize") is None:
            own["minimumCompressionSize"] = spec.get(EXTENSION + "minimum-compression-size")
        api: str = import_api(spec, own)
        for kind, response in spec.get(EXTENSION + "gateway-responses", {}).items():
            gateway._put_gateway_response(api, kind, response)  # noqa: SLF001
        return api

    def imported_path(api: str, path: str, item: dict[str, Any], *rest: Any) -> None:
        any_method = item.get(EXTENSION + "any-method")
        import_path(api, path, item, *rest)
        if any_method:
            resource = next(key for key, found in gateway._resources[api].items() if found["path"] == path)  # noqa: SLF001
            imported_operation(api, resource, "ANY", any_method, *rest)

    def imported_operation(api: str, resource: str, method: str, operation: dict[str, Any], *rest: Any) -> None:
        import_operation(api, resource, method, operation, *rest)
        integration = (operation or {}).get(EXTENSION + "integration") or {}
        if str(integration.get("type")).lower() == "mock":
            _keep_answers(api, resource, method, integration)

    gateway._import_rest_api = imported  # noqa: SLF001
    gateway._import_path_item = imported_path  # noqa: SLF001
    gateway._import_operation = imported_operation  # noqa: SLF001


def _keep_answers(api: str, resource: str, method: str, integration: dict[str, Any]) -> None:
    from ministack.services import apigateway_v1 as gateway

    methods = gateway._resources[api][resource]["resourceMethods"]  # noqa: SLF001
    methods[method]["methodIntegration"]["requestTemplates"] = integration.get("requestTemplates", {})
    for pattern, response in integration.get("responses", {}).items():
        status = str(response.get("statusCode", "200"))
        answer = {
            "selectionPattern": "" if pattern == "default" else pattern,
            "responseParameters": response.get("responseParameters", {}),
            "responseTemplates": response.get("responseTemplates", {}),
        }
        gateway._put_method_response(api, resource, method, status, {})  # noqa: SLF001
        gateway._put_integration_response(api, resource, method, status, answer)  # noqa: SLF001


def mock_context() -> None:
    from ministack.services import apigateway_v1 as gateway

    invoke = gateway._invoke_mock_v1  # noqa: SLF001

    def invoked(integration: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = invoke(integration)
        known = {"context.requestId": str(uuid.uuid4())}
        return status, {name: known.get(value, value) for name, value in headers.items()}, body

    gateway._invoke_mock_v1 = invoked  # noqa: SLF001


def first_type() -> None:
    """What names no type is application/json to the gateway, which the binary type */* takes like any other."""
    from ministack.services import apigateway_v1 as gateway

    matches = gateway._media_type_matches  # noqa: SLF001

    def matched(media_type: str | None, binary_types: list[str]) -> bool:
        return bool(matches(media_type or "application/json", binary_types))

    gateway._media_type_matches = matched  # noqa: SLF001


def update_in_place() -> None:
    """As PutRestApi with mode=overwrite, which CloudFormation calls on AWS."""
    from ministack.services import apigateway_v1 as gateway
    from ministack.services.cloudformation import provisioners

    handler = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]  # noqa: SLF001
    update = handler["update"]

    def updated(api: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **options: Any) -> Any:
        if new.get("Body") != old.get("Body"):
            _overwrite(gateway, api, new["Body"])
        return update(api, {**old, "Body": new.get("Body")}, new, *rest, **options)

    handler["update"] = updated


def _overwrite(gateway: Any, api: str, document: dict[str, Any]) -> None:
    fresh = gateway._import_rest_api(document)  # noqa: SLF001
    for store in IMPORTED:
        getattr(gateway, store)[api] = getattr(gateway, store)[fresh]
    for field in ("binaryMediaTypes", "minimumCompressionSize"):
        gateway._rest_apis[api][field] = gateway._rest_apis[fresh][field]  # noqa: SLF001
    gateway._delete_rest_api(fresh)  # noqa: SLF001


def limits() -> None:
    from ministack.services import apigateway_v1 as gateway

    execute = gateway._execute_in_scope  # noqa: SLF001

    async def executed(
        request: Any, api: str, stage: str, method: str, path: str, headers: Any, body: bytes, *rest: Any
    ) -> Any:
        if len(body or b"") > BODY_LIMIT:
            request["stage"] = gateway._stages_v1[api][stage]  # noqa: SLF001
            return gateway._gw_error("REQUEST_TOO_LARGE", "Request Too Long")  # noqa: SLF001
        return await execute(request, api, stage, method, path, headers, body, *rest)

    gateway._execute_in_scope = executed  # noqa: SLF001
