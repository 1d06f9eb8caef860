"""The site in the packaged template: its bucket, who may read it, where a miss leads, and CloudFront before it."""

from __future__ import annotations

import json

import pytest

from chalicelib import settings
from tests.package.conftest import ROOT
from tools import sam_template


@pytest.fixture(scope="session")
def site(of_type):
    return of_type("S3::Bucket")["SiteBucket"]


def chosen(value, *conditions):
    """A part of the template as CloudFormation makes it where these conditions hold, and no others."""
    if isinstance(value, dict) and "Fn::If" in value:
        name, held, otherwise = value["Fn::If"]
        return chosen(held if name in conditions else otherwise, *conditions)
    if isinstance(value, dict):
        return {name: chosen(each, *conditions) for name, each in value.items()}
    return [chosen(each, *conditions) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("conditions", [(), ("HasCdn",)])
def test_no_bucket_but_a_site_without_a_cdn_can_be_made_public(of_type, conditions):
    for name, bucket in of_type("S3::Bucket").items():
        block = chosen(bucket["PublicAccessBlockConfiguration"], *conditions)
        assert len(block) == 4
        assert set(block.values()) == {True} or (name, conditions) == ("SiteBucket", ())


def statements(policy, effect, *conditions):
    return [each for each in chosen(policy["PolicyDocument"]["Statement"], *conditions) if each["Effect"] == effect]


@pytest.mark.parametrize(("conditions", "reader"), [((), "*"), (("HasCdn",), {"Service": "cloudfront.amazonaws.com"})])
def test_anybody_or_the_cdn_may_read_variants_and_do_nothing_else(of_type, conditions, reader):
    [allowed] = statements(of_type("S3::BucketPolicy")["SiteBucketPolicy"], "Allow", *conditions)
    assert (allowed["Principal"], allowed["Action"]) == (reader, "s3:GetObject")
    assert allowed["Resource"] == {"Fn::Sub": "${SiteBucket.Arn}/v/*"}
    assert ("${Distribution}" in json.dumps(allowed.get("Condition"))) == bool(conditions)


def test_what_is_not_public_wants_tls(of_type):
    denied = statements(of_type("S3::BucketPolicy")["SiteBucketPolicy"], "Deny")
    assert [each.get("NotAction") or each["Action"] for each in denied] == ["s3:GetObject", "s3:GetObject"]
    shared = sam_template.read_yaml(ROOT / "infra/resources.yaml")["Resources"]["SiteBucketPolicy"]["Properties"]
    assert denied == statements(shared, "Deny")


def test_the_cdn_asks_the_bucket_and_then_its_website_and_keeps_no_redirect(of_type):
    [distribution] = of_type("CloudFront::Distribution").values()
    config = distribution["DistributionConfig"]
    [group] = config["OriginGroups"]["Items"]
    assert [each["OriginId"] for each in group["Members"]["Items"]] == [each["Id"] for each in config["Origins"]]
    assert group["FailoverCriteria"]["StatusCodes"]["Items"] == [403, 404]
    assert config["DefaultCacheBehavior"]["TargetOriginId"] == group["Id"]
    [cache] = of_type("CloudFront::CachePolicy").values()
    assert (cache["CachePolicyConfig"]["MinTTL"], cache["CachePolicyConfig"]["DefaultTTL"]) == (0, 0)
    assert {each["ErrorCachingMinTTL"] for each in config["CustomErrorResponses"]} == {0}


def test_the_template_and_the_functions_spell_websites_in_the_same_way(template):
    dashed = {each["Fn::Equals"][1] for each in template["Conditions"]["HasDashedWebsites"]["Fn::Or"]}
    assert dashed == settings.DASHED
    missing = template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]["Origins"][1]["DomainName"]
    for conditions, region in ((("HasDashedWebsites",), "us-east-1"), ((), "eu-central-1")):
        host = chosen(missing, *conditions)["Fn::Sub"]
        for name, value in {"AWS::Region": region, "AWS::URLSuffix": "amazonaws.com"}.items():
            host = host.replace(f"${{{name}}}", value)
        bucket = "proofsheet-${Stage}-site-${AWS::AccountId}"
        assert settings.website(bucket, region) == f"http://{host}"


def test_functions_lead_to_the_site_that_its_visitors_see(template):
    site = template["Globals"]["Function"]["Environment"]["Variables"]["PROOFSHEET_SITE_URL"]
    assert chosen(site) == chosen(site, "HasSiteUrl", "HasCdn") == {"Fn::Sub": "${SiteUrl}"}
    assert chosen(site, "TellsCdnHost") == {"Fn::Sub": "https://${Distribution.DomainName}"}


def test_what_is_not_in_the_bucket_is_asked_of_this_stages_api_whichever_way_s3_says_so(site):
    rules = site["WebsiteConfiguration"]["RoutingRules"]
    conditions = [rule["RoutingRuleCondition"] for rule in rules]
    assert {each["HttpErrorCodeReturnedEquals"] for each in conditions} == {"403", "404"}
    assert {each["KeyPrefixEquals"] for each in conditions} == {"v/"}
    for rule in rules:
        target = rule["RedirectRule"]
        assert (target["Protocol"], target["HttpRedirectCode"]) == ("https", "307")
        assert "${RestAPI}.execute-api" in target["HostName"]["Fn::If"][2]["Fn::Sub"]
        assert target["ReplaceKeyPrefixWith"]["Fn::If"][1:] == ["resize?key=v/", "api/resize?key=v/"]


def test_variants_end_by_themselves(site):
    ending = {
        each["Prefix"]: each["ExpirationInDays"] for each in site["LifecycleConfiguration"]["Rules"] if "Prefix" in each
    }
    assert ending == {"v/": {"Ref": "VariantDays"}, "x/": {"Ref": "VariantDays"}}


def test_the_signing_secret_can_be_part_of_a_name_and_survives_a_replacement(template):
    secret = template["Resources"]["SigningSecret"]
    made = secret["Properties"]["GenerateSecretString"]
    assert (made["PasswordLength"], made["ExcludePunctuation"]) == (64, True)
    assert json.loads(made["SecretStringTemplate"])["current"] == made["GenerateStringKey"]
    assert secret["UpdateReplacePolicy"] == "Retain"


def test_a_source_is_readable_only_where_there_is_one(template):
    access = template["Resources"]["SourceAccess"]
    assert access["Condition"] == "HasSource"
    assert access["Properties"]["Roles"] == [{"Ref": "ApiHandlerRole"}]
    assert {each["Action"] for each in statements(access["Properties"], "Allow")} == {"s3:GetObject", "s3:ListBucket"}


@pytest.mark.parametrize("given", [{}, {"PROOFSHEET_SITE_URL": ""}])
def test_a_stage_without_an_address_of_its_own_has_its_buckets_website(monkeypatch, given):
    monkeypatch.delenv("PROOFSHEET_SITE_URL", raising=False)
    for name, value in {"PROOFSHEET_SITE_BUCKET": "b", "AWS_REGION": "eu-central-1", **given}.items():
        monkeypatch.setenv(name, value)
    assert settings.settings.__wrapped__().site_url == "http://b.s3-website.eu-central-1.amazonaws.com"


def test_an_address_of_ones_own_wins_without_its_slash(monkeypatch):
    monkeypatch.setenv("PROOFSHEET_SITE_URL", "https://img.example.org/")
    assert settings.settings.__wrapped__().site_url == "https://img.example.org"
