"""The site bucket's website endpoint in the emulator, with what infra/resources.yaml says of it, as S3 would answer."""

import json
from urllib.parse import quote

import pytest
import requests

from localcloud.clients import client
from localcloud.website import Rule, Site, address

BODY = bytes(range(200))
KEY = "v/1.mac/w80,fit:cover/a234567abcdefghij/s/one.jpg"
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def get(observer):
    """get(key, method="GET", ...): the website's answer, redirects not followed; what is not ASCII goes encoded."""

    def ask(key, method="GET", **options):
        url = f"{observer.local.site_url}/{quote(key, safe='/:,%?=+')}"
        return requests.request(method, url, timeout=10, allow_redirects=False, **options)

    return ask


@pytest.fixture
def put(observer):
    def put(key, body=BODY):
        bucket = observer.local.env["PROOFSHEET_SITE_BUCKET"]
        named = {"ContentType": "image/jpeg", "CacheControl": IMMUTABLE}
        return observer.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **named)["ETag"]

    return put


def test_a_variant_is_served_as_it_was_stored(get, put):
    etag = put(KEY)
    answer = get(KEY)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert {name: answer.headers[name] for name in ("Content-Type", "Cache-Control", "ETag")} == {
        "Content-Type": "image/jpeg",
        "Cache-Control": IMMUTABLE,
        "ETag": etag,
    }


def test_head_tells_the_length_and_sends_nothing(get, put):
    put(KEY)
    answer = get(KEY, "HEAD")
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, "200", b"")


def test_a_range_is_a_part(get, put):
    put(KEY)
    answer = get(KEY, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, BODY[10:20])
    assert answer.headers["Content-Range"] == "bytes 10-19/200"
    assert get(KEY, headers={"Range": "bytes=500-"}).status_code == 416


def test_what_did_not_change_is_not_sent_again(get, put):
    etag = put(KEY)
    modified = get(KEY).headers["Last-Modified"]
    for condition in ({"If-None-Match": etag}, {"If-Modified-Since": modified}):
        answer = get(KEY, headers=condition)
        assert (answer.status_code, answer.content) == (304, b"")
    assert get(KEY, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_missing_variant_is_asked_of_the_api(observer, get, method):
    answer = get("v/1.mac/w80/a/s/missing.jpg", method)
    assert (answer.status_code, answer.content) == (307, b"")
    assert answer.headers["Location"] == f"{observer.local.base_url}/resize?key=v/1.mac/w80/a/s/missing.jpg"


def test_a_key_is_passed_on_whole_and_the_query_is_not(observer, get):
    key = "v/1.mac/w80,h:2/a b&c=d/ü+%.jpg"
    answer = get(quote(key) + "?key=other")
    assert answer.headers["Location"] == f"{observer.local.base_url}/resize?key=" + quote(key)
    prepared = requests.Request("GET", answer.headers["Location"]).prepare()
    assert requests.utils.unquote(prepared.url.partition("?key=")[2]) == key


@pytest.mark.parametrize("key", ["x/1.mac/w80/private.jpg", "other", "", "V/1"])
def test_nothing_else_can_be_read_whether_it_is_there_or_not(get, put, key):
    if key:
        put(key)
    for one in (key, key + "-missing"):
        answer = get(one)
        assert answer.status_code == 403
        assert "<li>Code: AccessDenied</li>" in answer.text


@pytest.mark.parametrize("key", ["v", "v/../x/private.jpg", "v%2F..%2Fx/private.jpg"])
def test_no_spelling_of_a_key_leads_out_of_the_public_part(observer, put, key):
    put("x/private.jpg")
    session = requests.Session()
    raw = requests.Request("GET", observer.local.site_url).prepare()
    raw.url = f"{observer.local.site_url}/{key}"
    answer = session.send(raw, timeout=10, allow_redirects=False)
    session.close()
    assert answer.status_code in (307, 403)
    assert answer.content != BODY


def test_only_reading_is_offered(get):
    for method in ("PUT", "POST", "DELETE"):
        assert get(KEY, method, data=b"").status_code == 405


def test_a_bucket_without_a_website_has_none(observer):
    url = address(observer.local.endpoint, observer.local.env["PROOFSHEET_MEDIA_BUCKET"])
    for one, code in ((url, "NoSuchWebsiteConfiguration"), (f"{url}-missing", "NoSuchBucket")):
        answer = requests.get(f"{one}/index.html", timeout=10)
        assert (answer.status_code, f"<li>Code: {code}</li>" in answer.text) == (404, True)


# What the template does not use


@pytest.fixture
def another(observer):
    """another(policy statements, website): the address of a bucket made for the test."""
    s3 = client("s3", observer.local.endpoint)
    bucket = "another-site"
    s3.create_bucket(Bucket=bucket)

    def make(statements, website):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
        return address(observer.local.endpoint, bucket)

    yield make
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bucket)


def allow(action, resource):
    return {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::another-site{resource}"}


def test_index_and_error_document_and_404_for_who_may_list(observer, another):
    statements = [allow("s3:GetObject", "/*"), allow("s3:ListBucket", "")]
    url = another(statements, {"IndexDocument": {"Suffix": "i.html"}, "ErrorDocument": {"Key": "e.html"}})
    assert "<li>Key: &lt;b&gt;</li>" in requests.get(f"{url}/<b>", timeout=10).text
    s3 = client("s3", observer.local.endpoint)
    for key in ("i.html", "folder/i.html", "e.html"):
        s3.put_object(Bucket="another-site", Key=key, Body=key.encode())
    answers = [requests.get(f"{url}{path}", timeout=10) for path in ("/", "/folder/", "/missing")]
    assert [(each.status_code, each.text) for each in answers] == [
        (200, "i.html"),
        (200, "folder/i.html"),
        (404, "e.html"),
    ]


def test_a_denial_and_a_public_access_block_win(observer, another):
    url = another([allow("s3:GetObject", "/*"), {**allow("s3:GetObject", "/no/*"), "Effect": "Deny"}], WEBSITE)
    s3 = client("s3", observer.local.endpoint)
    for key in ("yes", "no/1"):
        s3.put_object(Bucket="another-site", Key=key, Body=b"1")
    assert [requests.get(f"{url}/{key}", timeout=10).status_code for key in ("yes", "no/1")] == [200, 403]
    s3.put_public_access_block(Bucket="another-site", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert requests.get(f"{url}/yes", timeout=10).status_code == 403


WEBSITE = {"IndexDocument": {"Suffix": "i.html"}}
RULES = b"""<WebsiteConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><RoutingRules>
<RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition>
<Redirect><ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith></Redirect></RoutingRule>
<RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>
<Redirect><ReplaceKeyWith>lost</ReplaceKeyWith><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule>
</RoutingRules></WebsiteConfiguration>"""


def test_rules_for_a_prefix_alone_and_for_an_error_alone():
    site = Site.parse(RULES)
    assert site.redirect("old/a b", None, "host:1") == (301, "http://host:1/new/a%20b")
    assert site.redirect("any", None, "host:1") is None
    assert site.redirect("any", 404, "host:1") == (302, "http://host:1/lost")


def test_a_stages_own_api_is_found_in_the_emulator():
    host = "abc123.execute-api.us-east-1.amazonaws.com"
    target = {"Protocol": "https", "HostName": host, "ReplaceKeyPrefixWith": "api/resize?key=v/"}
    location = Rule("v/", 403, target).location("v/1/ü", "127.0.0.1:1")
    assert location == "http://127.0.0.1:1/restapis/abc123/api/_user_request_/resize?key=v/1/%C3%BC"
    named = Rule("v/", 403, {**target, "HostName": "img.example.org"}).location("v/1", "127.0.0.1:1")
    assert named == "https://img.example.org/api/resize?key=v/1"
