"""The stage's resources in the emulator, made by CloudFormation from the template that AWS gets."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud import website
from localcloud.clients import ACCOUNT, KEY, REGION, client

TEMPLATE = Path(__file__).parent.parent / "infra" / "resources.yaml"
TRIGGER = "account_born"
# Devices need a platform application, which on AWS is made with Apple's and Google's credentials.
PLATFORMS = {
    "PROOFSHEET_APNS_APPLICATION": "APNS",
    "PROOFSHEET_APNS_SANDBOX_APPLICATION": "APNS_SANDBOX",
    "PROOFSHEET_FCM_APPLICATION": "GCM",
}

# The sign-up trigger of the pool is a Lambda function of the emulator; the app's own handler lives in a dispatcher
# worker. This function stands for it there, and passes its answer and its failure on.
FORWARDER = """
import os, urllib.request

def handler(event, context):
    import json
    request = urllib.request.Request(os.environ["INVOKE_URL"], json.dumps(event).encode())
    with urllib.request.urlopen(request, timeout=25) as answer:
        result = json.load(answer)
        if answer.headers.get("X-Amz-Function-Error"):
            raise RuntimeError(result["errorMessage"])
    return result
"""


class StaleStateError(Exception):
    """The kept state does not fit the template."""

    def __init__(self, reason: str):
        super().__init__(f"The local cloud's kept state does not fit infra/resources.yaml ({reason}): run `make clean`")


def deploy(
    endpoint: str,
    *,
    stage: str = "local",
    visibility_seconds: int = 90,
    api_host: str = "",
    template: str | None = None,
) -> dict[str, str]:
    """Create the stack, or bring it up to date; its outputs by name. Raises StaleStateError.

    api_host: where the site bucket sends a request for a variant that it does not have, as host:port.
    """
    cloudformation = client("cloudformation", endpoint)
    stack = f"proofsheet-{stage}"
    request = {
        "StackName": stack,
        "TemplateBody": TEMPLATE.read_text() if template is None else template,
        "Parameters": [
            {"ParameterKey": "Stage", "ParameterValue": stage},
            {"ParameterKey": "VisibilitySeconds", "ParameterValue": str(visibility_seconds)},
            {"ParameterKey": "TrackingVisibilitySeconds", "ParameterValue": str(visibility_seconds)},
            {"ParameterKey": "PushVisibilitySeconds", "ParameterValue": str(visibility_seconds)},
            {"ParameterKey": "ApiHost", "ParameterValue": api_host},
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    try:
        _create_or_update(cloudformation, request)
        outputs = _outputs(_settled(cloudformation, stack))
        _verify(endpoint, outputs)
    except ClientError as error:
        raise StaleStateError(error.response["Error"].get("Message", str(error))) from error
    return outputs


def environment(endpoint: str, outputs: dict[str, str], *, invoke_url: str, stage: str = "local") -> dict[str, str]:
    """What a process needs to find the stage; see chalicelib/settings.py."""
    return {
        "PROOFSHEET_STAGE": stage,
        "PROOFSHEET_MEDIA_BUCKET": outputs["MediaBucket"],
        "PROOFSHEET_SITE_BUCKET": outputs["SiteBucket"],
        "PROOFSHEET_EVENTS_BUCKET": outputs["EventsBucket"],
        "PROOFSHEET_SITE_URL": website.address(endpoint, outputs["SiteBucket"]),
        "PROOFSHEET_SIGNING_SECRET": f"proofsheet-{stage}-signing",
        "PROOFSHEET_USER_POOL": outputs["UserPool"],
        "PROOFSHEET_USER_POOL_CLIENT": outputs["UserPoolClient"],
        "PROOFSHEET_NOTICES_TOPIC": outputs["NoticesTopic"],
        **platform_applications(endpoint, stage=stage),
        # Each dispatcher worker takes one chunk of a channel at a time; see localcloud/run.py.
        "PROOFSHEET_SMS_WORKERS": "2",
        "PROOFSHEET_PUSH_WORKERS": "2",
        # Nobody looks at these two; see localcloud/sagemaker.py.
        "PROOFSHEET_SAGEMAKER_ROLE": f"arn:aws:iam::{ACCOUNT}:role/proofsheet-{stage}-sagemaker",
        "PROOFSHEET_SAGEMAKER_IMAGE": "scikit-learn",
        "AWS_ENDPOINT_URL": endpoint,
        # The app's functions run in the dispatcher, not in the emulator.
        "AWS_ENDPOINT_URL_LAMBDA": invoke_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        # Neither a developer's profile nor an instance role may leak into a local run.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def platform_applications(endpoint: str, *, stage: str = "local") -> dict[str, str]:
    """ARNs of SNS's platform applications, made unless they are there, by the settings that name them."""
    sns = client("sns", endpoint)
    credentials = {"PlatformCredential": KEY, "PlatformPrincipal": KEY}
    return {
        setting: sns.create_platform_application(Name=f"proofsheet-{stage}", Platform=platform, Attributes=credentials)[
            "PlatformApplicationArn"
        ]
        for setting, platform in PLATFORMS.items()
    }


def forward_sign_ups(endpoint: str, invoke_url: str, *, stage: str = "local") -> None:
    """Let the pool's PostConfirmation trigger reach the app's handler through the Invoke endpoint."""
    functions = client("lambda", endpoint)
    name = f"proofsheet-{stage}-{TRIGGER}"
    variables = {"INVOKE_URL": f"{invoke_url}/2015-03-31/functions/{name}/invocations"}
    try:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/local",
            Handler="forwarder.handler",
            Timeout=30,
            Code={"ZipFile": _zip("forwarder.py", FORWARDER)},
            Environment={"Variables": variables},
        )
    except functions.exceptions.ResourceConflictException:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def _create_or_update(cloudformation: Any, request: dict[str, Any]) -> None:
    try:
        cloudformation.describe_stacks(StackName=request["StackName"])
    except ClientError:
        cloudformation.create_stack(**request)
        return
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise


def _settled(cloudformation: Any, stack: str, patience: float = 30.0) -> dict[str, Any]:
    deadline = time.monotonic() + patience
    while True:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        status = found["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return found
        if status.endswith(("_FAILED", "ROLLBACK_COMPLETE")) or time.monotonic() > deadline:
            raise StaleStateError(_first_failure(cloudformation, stack) or status)
        time.sleep(0.05)


def _first_failure(cloudformation: Any, stack: str) -> str | None:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    first = failed[-1] if failed else {}
    return first.get("ResourceStatusReason")


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _verify(endpoint: str, outputs: dict[str, str]) -> None:
    """A killed emulator may remember the stack and have lost what is in it."""
    for bucket in (outputs["MediaBucket"], outputs["SiteBucket"], outputs["EventsBucket"]):
        client("s3", endpoint).head_bucket(Bucket=bucket)
    client("dynamodb", endpoint).describe_table(TableName=outputs["Table"])
    client("cognito-idp", endpoint).describe_user_pool(UserPoolId=outputs["UserPool"])
    client("sns", endpoint).get_topic_attributes(TopicArn=outputs["NoticesTopic"])


def _zip(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def write_environment(path: Path, base_url: str, env: dict[str, str]) -> None:
    """Leave a note for clients that look for a running cloud: {"base_url", "endpoint", "site_url", ...}."""
    note = {
        "base_url": base_url,
        "endpoint": env["AWS_ENDPOINT_URL"],
        "site_url": env["PROOFSHEET_SITE_URL"],
        "user_pool": env["PROOFSHEET_USER_POOL"],
        "user_pool_client": env["PROOFSHEET_USER_POOL_CLIENT"],
        "pid": os.getpid(),
        "env": env,
    }
    path.write_text(json.dumps(note, indent=2) + "\n")
