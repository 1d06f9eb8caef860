"""An emulator for deployments, and stages with a package so small that it deploys in a moment."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.deployed import emulator
from tools.stages import Stage

NUMBERS = itertools.count()
BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {"BucketName": {"Fn::Sub": "proofsheet-${Stage}-media-${AWS::AccountId}"}},
}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "proofsheet-${Stage}-color"}}}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "FunctionName": {"Fn::Sub": "proofsheet-${Stage}-api"},
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "probe.handler",
        "Code": {"S3Bucket": {"Ref": "BundleBucket"}, "S3Key": {"Ref": "BundleKey"}},
    },
}
SITE = {
    "Type": "AWS::S3::Bucket",
    "Properties": {"BucketName": {"Fn::Sub": "proofsheet-${Stage}-site-${AWS::AccountId}"}},
}
EVENTS = {
    "Type": "AWS::S3::Bucket",
    "Properties": {"BucketName": {"Fn::Sub": "proofsheet-${Stage}-events-${AWS::AccountId}"}},
}
SECRET = {
    "Type": "AWS::SecretsManager::Secret",
    "Properties": {"Name": {"Fn::Sub": "proofsheet-${Stage}-signing"}, "SecretString": '{"current":"1","1":"first"}'},
}
CATALOG = {
    "Type": "AWS::Glue::Database",
    "Properties": {
        "CatalogId": {"Ref": "AWS::AccountId"},
        "DatabaseInput": {"Name": {"Fn::Sub": "proofsheet-${Stage}"}},
    },
}
RESOURCES = {
    "MediaBucket": BUCKET,
    "SiteBucket": SITE,
    "EventsBucket": EVENTS,
    "Catalog": CATALOG,
    "SigningSecret": SECRET,
    "Queue": QUEUE,
    "Function": FUNCTION,
}
# As many as the note for clients needs.
OUTPUTS = ("RestAPIId", "SiteUrl", "UserPool", "UserPoolClient")


def template(resources: dict[str, object] | None = None) -> dict[str, object]:
    parameters = ("Stage", "BundleBucket", "BundleKey")
    return {
        "Parameters": {name: {"Type": "String"} for name in parameters},
        "Resources": resources or RESOURCES,
        "Outputs": {name: {"Value": name.lower()} for name in OUTPUTS},
    }


@pytest.fixture(scope="package")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("deployed")) as address:
        yield address


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., None]:
    """package(stage name, resources, code): what `python -m tools.package` would leave."""
    import zipfile

    def write(name: str, resources: dict[str, object] | None = None, code: str = "1") -> None:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "template.json").write_text(json.dumps(template(resources)))
        with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
            archive.writestr("probe.py", f"def handler(event, context):\n    return {code}\n")

    return write


@pytest.fixture
def stage(endpoint: str, tmp_path: Path, package: Callable[..., None]) -> Stage:
    """A packaged stage that is not deployed yet."""
    name = f"test{next(NUMBERS)}"
    package(name)
    return Stage(name, endpoint, tmp_path)
