"""A stage: one copy of Proofsheet under its own names, in an AWS account or in an emulator.

| thing             | name                                  | holds                                              |
|-------------------|---------------------------------------|----------------------------------------------------|
| stack             | proofsheet-{stage}                    | everything that the template makes                 |
| deployment bucket | proofsheet-{stage}-deploy-{account}   | bundles and templates under their digests          |
| site bucket       | proofsheet-{stage}-site-{account}     | variants of images                                 |
| events bucket     | proofsheet-{stage}-events-{account}   | tracked events                                     |
| signing secret    | proofsheet-{stage}-signing            | what addresses of variants are signed with         |
| build/{stage}/    | template.json, *.zip                  | what `python -m tools.package --stage` left        |
| build/{stage}/    | outputs.json                          | where the stage is, for clients                    |

StageError            cannot be done; the message is one line for a person
└── NoCredentials     nobody to do it as
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parent.parent
# As in the template: the longest name made of it must fit into the 63 characters of a bucket's name.
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
#: The zips of a package, by the template's parameters that say where they lie.
BUNDLES = {"BundleKey": "bundle", "CompactionKey": "compaction"}
# An emulator asks who it is, and takes everyone for the same.
EMULATOR_KEY = "test"


class StageError(Exception):
    """The message is one line for a person."""


class NoCredentials(StageError):
    def __init__(self, why: str):
        super().__init__(f"No AWS account to work in ({why}): set AWS_PROFILE or the AWS keys, or give --endpoint.")


@dataclass(frozen=True)
class Stage:
    """endpoint: of an emulator; None is AWS, as the environment's profile and region have it."""

    name: str
    endpoint: str | None = None
    build: Path = ROOT / "build"

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise StageError(
                f"{self.name!r} cannot be a stage: small letters, digits and hyphens, a letter first, 20 at most."
            )

    @property
    def stack(self) -> str:
        return f"proofsheet-{self.name}"

    @property
    def folder(self) -> Path:
        return self.build / self.name

    @property
    def outputs_file(self) -> Path:
        return self.folder / "outputs.json"

    @cached_property
    def account(self) -> str:
        """The account's number, which also shows that there is somebody to work as. Raises NoCredentials."""
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise NoCredentials(one_line(error)) from error

    @property
    def deployment_bucket(self) -> str:
        return f"proofsheet-{self.name}-deploy-{self.account}"

    @property
    def region(self) -> str:
        return str(self._session.region_name or ("us-east-1" if self.endpoint else ""))

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        client: CloudFormationClient = self.client("cloudformation")
        return client

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self.client("s3")
        return client

    def client(self, service: str) -> Any:
        from botocore.config import Config

        if not self.region:
            raise NoCredentials("no region: set AWS_DEFAULT_REGION")
        config = Config(
            connect_timeout=5,
            retries={"mode": "standard", "max_attempts": 2 if self.endpoint else 8},
            s3={"addressing_style": "path"} if self.endpoint else None,
        )
        return self._session.client(service, region_name=self.region, endpoint_url=self.endpoint, config=config)

    @cached_property
    def _session(self) -> Any:
        import boto3

        try:
            if self.endpoint:
                return boto3.Session(aws_access_key_id=EMULATOR_KEY, aws_secret_access_key=EMULATOR_KEY)
            return boto3.Session()
        except BotoCoreError as error:
            raise NoCredentials(one_line(error)) from error

    def describe(self) -> dict[str, Any] | None:
        """The stack as CloudFormation tells it, or None."""
        try:
            found: Any = self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return next((stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"), None)

    def base_url(self, outputs: dict[str, str]) -> str:
        """Of the API. An emulator has no name of its own for each API, but a path."""
        if self.endpoint:
            return f"{self.endpoint.rstrip('/')}/restapis/{outputs['RestAPIId']}/api/_user_request_"
        return outputs["EndpointURL"].rstrip("/")

    @property
    def site_bucket(self) -> str:
        return f"proofsheet-{self.name}-site-{self.account}"

    @property
    def events_bucket(self) -> str:
        return f"proofsheet-{self.name}-events-{self.account}"

    @property
    def signing_secret(self) -> str:
        return f"proofsheet-{self.name}-signing"

    def write_outputs(self, outputs: dict[str, str]) -> None:
        """Leave a note for clients, in the shape of the local cloud's env.json."""
        env = {
            "PROOFSHEET_STAGE": self.name,
            "PROOFSHEET_SITE_BUCKET": self.site_bucket,
            "PROOFSHEET_EVENTS_BUCKET": self.events_bucket,
            "PROOFSHEET_SITE_URL": outputs["SiteUrl"],
            "PROOFSHEET_SIGNING_SECRET": self.signing_secret,
            "PROOFSHEET_USER_POOL": outputs["UserPool"],
            "PROOFSHEET_USER_POOL_CLIENT": outputs["UserPoolClient"],
            "AWS_DEFAULT_REGION": self.region,
            **({"AWS_ENDPOINT_URL": self.endpoint} if self.endpoint else {}),
        }
        note = {"base_url": self.base_url(outputs), "site_url": outputs["SiteUrl"], "env": env, "outputs": outputs}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.outputs_file.write_text(json.dumps(note, indent=2) + "\n")


def code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def say(sentence: str) -> None:
    print(sentence, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that every command on a stage takes."""
    arguments = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    arguments.add_argument("--stage", required=True, help="its name, for example dev")
    arguments.add_argument(
        "--endpoint", default=os.environ.get("AWS_ENDPOINT_URL"), help="an emulator's address, instead of AWS"
    )
    arguments.add_argument("--build", type=Path, default=ROOT / "build", help="folder of packages and outputs")
    return arguments


def run(command: Callable[[], None]) -> int:
    """The exit code of a command; what a person has to know goes to stderr in one line."""
    try:
        command()
    except StageError as error:
        print(error, file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS refused: {one_line(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted: the same command takes it up again.", file=sys.stderr)
        return 130
    else:
        return 0
    return 1
