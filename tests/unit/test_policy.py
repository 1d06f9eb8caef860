"""The policy of the dashboard's page names the hosts that botocore really sends browsers to, in every partition."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
import pytest

from chalicelib import aws
from chalicelib.settings import settings
from chalicelib.web import policy

REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "cn-north-1", "us-gov-west-1")


@pytest.fixture(params=REGIONS)
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """The settings of a stage on AWS."""
    settings.cache_clear()
    aws.client.cache_clear()
    monkeypatch.setenv("AWS_REGION", request.param)
    yield msgspec.structs.replace(settings(), user_pool=f"{request.param}_abc", site_url="https://photos.example/a")
    settings.cache_clear()
    aws.client.cache_clear()


def origin(url: str) -> str:
    return "https://" + urlsplit(url).netloc


def test_the_buckets_are_those_of_presigned_addresses(stage) -> None:
    presigned = {
        origin(aws.s3().generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}))
        for bucket in (stage.media_bucket, stage.site_bucket)
    }
    uploads = origin(aws.s3().generate_presigned_post(stage.media_bucket, "a")["url"])
    assert set(policy.buckets(stage)) == presigned
    assert uploads in presigned
    assert stage.region == "us-east-1" or all(stage.region in host for host in presigned)


def test_cognito_is_that_of_the_pools_region(stage) -> None:
    assert policy.cognito(stage) == aws.cognito().meta.endpoint_url


def test_nothing_but_these_hosts_is_named(stage) -> None:
    hosts = {each.rstrip(";") for each in policy.content_security(stage).split() if "://" in each}
    assert hosts == {*policy.buckets(stage), policy.cognito(stage), "https://photos.example"}


def test_no_policy_allows_inline_code_or_any_host(stage) -> None:
    text = policy.content_security(stage)
    assert not [word for word in ("unsafe", "*", "http:;", "https:;") if word in text]
