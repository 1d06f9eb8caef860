"""What ministack 1.5.33 lacks and Proofsheet needs; each shim has a contract test in tests/localcloud/test_shims.py.

| shim               | without it                                                       | upstream                     |
|--------------------|------------------------------------------------------------------|------------------------------|
| time_to_live       | a table made by CloudFormation ignores TimeToLiveSpecification,  | no issue found (2026-11)     |
|                    | so expired idempotency keys and shared slots live for ever       |                              |
| plain_secrets      | a generated secret has punctuation, ExcludePunctuation or not    | no issue found (2026-11)     |
| post_confirmation  | a user pool's PostConfirmation trigger is stored but never fired | no issue found (2026-11)     |
| sns_publishes      | pushes to platform endpoints leave no trace, disabled endpoints  | no issue found (2026-11)     |
|                    | take them, and no number has ever opted out                      |                              |

They patch private functions: ministack is pinned exactly, and the tests say which shim a new version makes needless.
Not shimmed, because nothing that the app sees depends on it: CloudFormation also drops a bucket's lifecycle and
encryption rules and a table's point-in-time recovery.
"""

import json
import string
from collections.abc import Awaitable, Callable
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
Provision = Callable[..., tuple[str, dict[str, Any]]]

# What Cognito calls the trigger's cause, by the action that led to it.
CONFIRMATIONS = {
    "ConfirmSignUp": "PostConfirmation_ConfirmSignUp",
    "AdminConfirmSignUp": "PostConfirmation_ConfirmSignUp",
    "ConfirmForgotPassword": "PostConfirmation_ConfirmForgotPassword",
}


def install() -> None:
    time_to_live()
    plain_secrets()
    post_confirmation()
    sns_publishes()


def time_to_live() -> None:
    from ministack.services import dynamodb
    from ministack.services.cloudformation import provisioners

    table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]  # noqa: SLF001

    def apply(name: str, properties: dict[str, Any]) -> None:
        specification = properties.get("TimeToLiveSpecification")
        if specification:
            dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification})  # noqa: SLF001

    def creating(create: Provision) -> Provision:
        def created(logical_id: str, properties: dict[str, Any], *rest: Any) -> tuple[str, dict[str, Any]]:
            answer = create(logical_id, properties, *rest)
            apply(answer[0], properties)
            return answer

        return created

    def updating(update: Provision) -> Provision:
        def updated(
            name: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **options: Any
        ) -> tuple[str, dict[str, Any]]:
            answer = update(name, old, new, *rest, **options)
            apply(answer[0], new)
            return answer

        return updated

    table["create"] = creating(table["create"])
    table["update"] = updating(table["update"])


def plain_secrets() -> None:
    from ministack.services.cloudformation import provisioners

    make = provisioners._sm_secret_string  # noqa: SLF001

    def made(properties: dict[str, Any]) -> str:
        asked = dict(properties.get("GenerateSecretString") or {})
        if str(asked.get("ExcludePunctuation")).lower() == "true":
            asked["ExcludeCharacters"] = asked.get("ExcludeCharacters", "") + string.punctuation
        return str(make({**properties, "GenerateSecretString": asked}))

    provisioners._sm_secret_string = made  # noqa: SLF001


def post_confirmation() -> None:
    from ministack.core.concurrency import run_reentrant
    from ministack.services import cognito

    dispatch: Callable[[str, dict[str, Any]], Awaitable[Answer]] = cognito._dispatch_idp  # noqa: SLF001

    async def dispatch_and_trigger(action: str, request: dict[str, Any]) -> Answer:
        answer = await dispatch(action, request)
        if action not in CONFIRMATIONS or answer[0] != 200:
            return answer
        # The function calls back into the emulator: on its own thread, or the event loop would wait for itself.
        refused: Answer | None = await run_reentrant(
            _fire_post_confirmation, action, request, thread_name="post-confirmation"
        )
        return refused or answer

    cognito._dispatch_idp = dispatch_and_trigger  # noqa: SLF001


def _fire_post_confirmation(action: str, request: dict[str, Any]) -> Answer | None:
    """Call the pool's trigger; the answer that replaces Cognito's own when the trigger fails, else None."""
    from ministack.services import cognito, lambda_svc

    pool_id, pool = _pool(request)
    arn = (pool.get("LambdaConfig") or {}).get("PostConfirmation")
    if not arn:
        return None
    user, _ = cognito._resolve_user(pool, request["Username"])  # noqa: SLF001
    event = _post_confirmation_event(action, request, pool_id, user)
    record, config, _ = lambda_svc._get_func_record_for_ref(arn)  # noqa: SLF001
    if record is None or config is None:
        return _refusal(f"PostConfirmation function {arn} does not exist")
    record = lambda_svc._execution_record_for_config(record, config)  # noqa: SLF001
    result = lambda_svc._execute_function_with_config_scope(record, event)  # noqa: SLF001
    return _refusal(f"PostConfirmation failed with error {result.get('body')}.") if result.get("error") else None


def _pool(request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    from ministack.services import cognito

    if "UserPoolId" in request:
        return request["UserPoolId"], cognito._user_pools[request["UserPoolId"]]  # noqa: SLF001
    pool, pool_id = cognito._pool_for_client(request["ClientId"])  # noqa: SLF001
    return pool_id, pool


def _post_confirmation_event(
    action: str, request: dict[str, Any], pool_id: str, user: dict[str, Any]
) -> dict[str, Any]:
    """The event of the Cognito developer guide, "Post confirmation Lambda trigger"."""
    attributes = {attribute["Name"]: attribute["Value"] for attribute in user["Attributes"]}
    return {
        "version": "1",
        "triggerSource": CONFIRMATIONS[action],
        "region": pool_id.split("_")[0],
        "userPoolId": pool_id,
        "userName": user["Username"],
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": request.get("ClientId", "")},
        "request": {
            "userAttributes": {**attributes, "cognito:user_status": user["UserStatus"]},
            "clientMetadata": request.get("ClientMetadata", {}),
        },
        "response": {},
    }


def _refusal(message: str) -> Answer:
    body = json.dumps({"__type": "UserLambdaValidationException", "message": message}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": "UserLambdaValidationException"}
    return 400, headers, body


# Whoever has such a number replied STOP: SNS has no call by which somebody else could opt out for them.
OPTED_OUT = "00000"


def sns_publishes() -> None:
    """Pushes are kept beside text messages at /_ministack/sns/sms-messages, under the ARN of their endpoint."""
    from ministack.services import sns

    publish: Callable[[dict[str, Any]], Answer] = sns._publish  # noqa: SLF001

    def published(params: dict[str, Any]) -> Answer:
        phone, target = (sns._p(params, name) for name in ("PhoneNumber", "TargetArn"))  # noqa: SLF001
        endpoint = sns._platform_endpoints.get(target)  # noqa: SLF001
        if phone.endswith(OPTED_OUT):
            return _sns_refusal("OptedOut", f"The phone number {phone} is opted out")
        if endpoint is None:
            return publish(params)
        if endpoint["attributes"].get("Enabled", "true").lower() != "true":
            return _sns_refusal("EndpointDisabled", "Endpoint is disabled")
        answer = publish(params)
        sns._sms_log_for(target).append(_push(params, answer))  # noqa: SLF001
        return answer

    sns._publish = published  # noqa: SLF001


def _sns_refusal(code: str, message: str) -> Answer:
    from ministack.services import sns

    refusal: Answer = sns._error(code, message, 400)  # noqa: SLF001
    return refusal


def _push(params: dict[str, Any], answer: Answer) -> dict[str, Any]:
    from ministack.services import sns

    texts = {name: sns._p(params, name) for name in ("TargetArn", "Message", "MessageStructure")}  # noqa: SLF001
    attributes = sns._parse_message_attributes(params)  # noqa: SLF001
    message = answer[2].decode().partition("<MessageId>")[2].partition("<")[0]
    return {**texts, "MessageAttributes": attributes, "MessageId": message}
