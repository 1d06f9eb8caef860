"""Tracking over HTTP: Segment's API, the beacon and the pixel, and counts that are exact whatever comes twice."""

from __future__ import annotations

import base64
import gzip
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

IMPRESSION, CLICK = "Image Impression", "Image Clicked"


@pytest.fixture(scope="session")
def tracked(new_caller, jpeg):
    """An admin of an account of its own, for what is counted there must be known."""
    return Tracked(new_caller("admin"), jpeg)


class Tracked:
    """A site with a write key, and images that its pages show."""

    def __init__(self, caller, jpeg):
        self.caller = caller
        self.url = caller.base_url
        self.jpeg = jpeg
        self.key = caller("POST", "/write-keys", {"name": "shop"}).json()["key"]

    def image(self, **options):
        return self.caller.upload(self.jpeg, **options)

    def post(self, path, body, **options):
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = {"auth": (self.key, ""), **options}
        return requests.post(f"{self.url}{path}", data=data, headers=headers, timeout=30, **options)

    def batch(self, events, **options):
        return self.post("/v1/batch", {"batch": events, "sentAt": now()}, **options)

    def stats(self, **query):
        answer = self.caller("GET", "/stats", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def counted(self, expected, seconds=45, **query):
        """Wait until the totals are these, and see that they stay so."""
        end = time.monotonic() + seconds
        while (totals := self.stats(**query)["totals"]) != expected and time.monotonic() < end:
            time.sleep(0.3)
        assert totals == expected
        return totals


def now(**earlier):
    return (datetime.now(UTC) - timedelta(**earlier)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def totals(impressions=0, clicks=0, submits=0, conversions=0):
    return {"impressions": impressions, "clicks": clicks, "submits": submits, "conversions": conversions}


def event(image, name=IMPRESSION, **fields):
    properties = {"image": image, **fields.pop("properties", {})}
    return {
        "type": "track",
        "event": name,
        "messageId": str(uuid.uuid4()),
        "anonymousId": "visitor",
        "timestamp": now(),
        "properties": properties,
        **fields,
    }


def uuid7(second):
    """A message id as track.js makes it, of that moment."""
    random = uuid.uuid4().int
    return str(
        uuid.UUID(int=int(second * 1000) << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64 | random & (1 << 64) - 1)
    )


# Counting


def test_what_is_sent_is_counted(tracked):
    image = tracked.image()
    answer = tracked.batch([event(image), event(image), event(image, CLICK)])
    assert (answer.status_code, answer.json()) == (200, {"success": True, "accepted": 3, "rejected": 0})
    tracked.counted(totals(2, 1), image=image)
    assert tracked.stats(image=image)["ctr"] == 0.5


def test_the_same_event_a_thousand_times_is_counted_once(tracked):
    """In one batch, in many at once, and with other timestamps."""
    image = tracked.image()
    same = event(image)
    tracked.batch([same] * 100)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tracked.batch([same] * 40), range(20)))
    tracked.batch([{**same, "timestamp": now(hours=hours)} for hours in range(1, 40)])
    tracked.batch([event(image, CLICK)])
    tracked.counted(totals(1, 1), image=image)


def test_rankings_and_collections_are_counted_too(tracked):
    images = [tracked.image(collection="counted") for _ in range(2)]
    ranking = tracked.caller("POST", "/rankings", {"images": images}).json()["id"]
    events = [event(image, properties={"ranking": ranking, "position": at}) for at, image in enumerate(images)]
    tracked.batch([*events, event(images[0], CLICK)])
    tracked.counted(totals(2, 1), collection="counted")
    tracked.counted(totals(2), ranking=ranking)


def test_the_series_has_every_hour_and_day(tracked):
    image = tracked.image()
    tracked.batch([event(image), event(image, timestamp=now(hours=3))])
    tracked.counted(totals(2), image=image)
    by_hour = tracked.stats(image=image, interval="hour", **{"from": now(hours=5)})["series"]
    assert sum(point["impressions"] for point in by_hour) == 2
    assert len({point["at"] for point in by_hour if point["impressions"]}) == 2
    assert sum(point["impressions"] for point in tracked.stats(image=image)["series"]) == 2


def test_every_call_of_segments_api_is_taken(tracked):
    for name in ("track", "identify", "page", "screen", "group", "alias"):
        body = {"userId": "u", "anonymousId": "a", "event": "Something", "groupId": "g", "previousId": "p", "name": "n"}
        answer = tracked.post(f"/v1/{name}", body)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_a_beacon_and_a_pixel_carry_their_key_inside(tracked):
    image = tracked.image()
    body = json.dumps({"writeKey": tracked.key, "sentAt": now(), "batch": [event(image), event(image, CLICK)]})
    sent = requests.post(f"{tracked.url}/v1/e", data=body, headers={"Content-Type": "text/plain"}, timeout=10)
    assert (sent.status_code, sent.content) == (204, b"")
    one = base64.urlsafe_b64encode(json.dumps({"writeKey": tracked.key, **event(image)}).encode()).decode()
    pixel = requests.get(f"{tracked.url}/v1/pixel.gif", params={"d": one}, timeout=10)
    assert (pixel.status_code, pixel.headers["Content-Type"], pixel.content[:6]) == (200, "image/gif", b"GIF89a")
    assert pixel.headers["Cache-Control"] == "no-store"
    tracked.counted(totals(2, 1), image=image)


def test_a_body_may_come_as_gzip(tracked):
    body = gzip.compress(json.dumps({"batch": [event("x")]}).encode())
    assert tracked.post("/v1/batch", body, headers={"Content-Encoding": "gzip"}).json()["accepted"] == 1
    bomb = gzip.compress(b" " * 50_000_000)
    for bad in (b"not gzip", bomb):
        assert tracked.post("/v1/batch", bad, headers={"Content-Encoding": "gzip"}).status_code == 400


def test_bots_are_kept_and_not_counted(tracked):
    image = tracked.image()
    crawler = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    assert tracked.batch([event(image)], headers=crawler).json()["accepted"] == 1
    tracked.batch([event(image, CLICK)])
    tracked.counted(totals(0, 1), image=image)


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_asked_not_to_be_tracked_is_not(tracked, header):
    image = tracked.image()
    assert tracked.batch([event(image)], headers={header: "1"}).json()["accepted"] == 0
    tracked.batch([event(image, CLICK)])
    tracked.counted(totals(0, 1), image=image)


# Who may send


def test_an_unknown_or_revoked_key_is_refused(tracked):
    for key in ("", "nonsense", "wk" + "a" * 33, f"{tracked.key[:-1]}x"):
        assert tracked.batch([event("x")], auth=(key, "")).status_code == 401
    passing = tracked.caller("POST", "/write-keys", {"name": "passing"}).json()["key"]
    tracked.caller("DELETE", f"/write-keys/{passing}")
    assert tracked.batch([event("x")], auth=(passing, "")).status_code == 401


def test_a_key_is_good_for_its_sites_alone(tracked):
    key = tracked.caller("POST", "/write-keys", {"allowed_origins": ["https://shop.example"]}).json()["key"]
    for origin, status in (("https://shop.example", 200), ("https://thief.example", 403)):
        answer = tracked.batch([event("x")], auth=(key, ""), headers={"Origin": origin})
        assert answer.status_code == status
    assert tracked.batch([event("x")], auth=(key, "")).status_code == 200  # a server has no origin


def test_nobody_sees_what_another_account_counted(tracked, stranger):
    image = tracked.image()
    assert stranger("GET", "/stats", params={"image": image}).status_code == 404
    assert stranger("GET", "/stats").json()["totals"] == totals()


# What else may come


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"batch": 3}',
        b'{"batch": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
        b'{"batch": "' + b"x" * 501_000 + b'"}',
    ],
    ids=["cut", "no utf-8", "list", "number", "deep", "501 kB"],
)
def test_a_body_that_cannot_be_read_is_400(tracked, body):
    answer = tracked.post("/v1/batch", body)
    assert (answer.status_code in (200, 400), answer.status_code) == (True, answer.status_code)
    assert answer.status_code == 400 or answer.json()["rejected"] == 1
    assert len(answer.content) < 1000


def test_a_bad_event_never_touches_its_neighbors(tracked):
    image = tracked.image()
    bad = [
        {**event(image), "properties": {"image": image, "pad": "x" * 33_000}},
        {**event(image), "timestamp": "yesterday"},
        {**event(image), "messageId": "x" * 500},
        {**event(image), "properties": {"image": {"not": "an id"}}},
        {"type": "track"},
        17,
    ]
    answer = tracked.batch([event(image), *bad, event(image)])
    assert answer.json() == {"success": True, "accepted": 2, "rejected": len(bad)}
    tracked.counted(totals(2), image=image)
    end = time.monotonic() + 30
    while len(items := tracked.caller("GET", "/events/quarantine").json()["items"]) < len(bad):
        assert time.monotonic() < end
        time.sleep(0.3)
    assert all(item["reason"] and item["key"] == tracked.key for item in items)


def test_nan_is_a_bad_event(tracked):
    image = tracked.image()
    text = json.dumps(
        {"batch": [{**event(image), "properties": {"image": image, "value": float("nan")}}, event(image)]}
    )
    assert tracked.post("/v1/batch", text.encode()).json() == {"success": True, "accepted": 1, "rejected": 1}
    tracked.counted(totals(1), image=image)


def test_a_clock_that_is_wrong_harms_nobody(tracked):
    """Without a time in the id, such an event counts when it came; with one, the compaction counts it."""
    image = tracked.image()
    strange = [event(image, timestamp=now(days=days)) for days in (-30, 3650)]
    old = uuid7(time.time() - 3650 * 86_400)
    answer = tracked.batch([*strange, event(image, messageId=old), event(image)])
    assert answer.json() == {"success": True, "accepted": 4, "rejected": 0}
    tracked.counted(totals(3), image=image)


def test_a_single_event_that_is_too_large_is_400(tracked):
    answer = tracked.post("/v1/track", {**event("x"), "context": {"pad": "x" * 33_000}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"from": "soon"}, 422),
        ({"from": "2026-02-30"}, 400),
        ({"from": "2026-05-02", "to": "2026-05-01"}, 400),
        ({"interval": "minute"}, 400),
        ({"image": "0" * 26}, 404),
        ({"ranking": "nothing"}, 404),
        ({"image": "0" * 26, "ranking": "1" * 26}, 400),
    ],
)
def test_a_question_that_cannot_be_answered(tracked, query, status):
    assert tracked.caller("GET", "/stats", params=query).status_code == status


def test_only_an_admin_sees_the_quarantine(member):
    assert member("GET", "/events/quarantine").status_code == 403


def test_the_script_is_served_to_every_site(tracked):
    script = requests.get(f"{tracked.url}/track.js", headers={"Origin": "https://shop.example"}, timeout=10)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert script.headers["Access-Control-Allow-Origin"] == "*"


# The closed loop


def test_the_best_image_of_a_ranking_is_shown_and_counted(tracked, member, scored):
    ranking = member("POST", "/rankings", {"images": scored}).json()["id"]
    member.until(f"/rankings/{ranking}", lambda seen: seen["state"] == "complete")
    picture = {"ops": "w40", "format": "jpg"}
    shown = [requests.get(f"{tracked.url}/best/{ranking}", params=picture, timeout=30) for _ in range(3)]
    assert {answer.status_code for answer in shown} == {200}
    assert len({answer.content for answer in shown}) == 1
    assert shown[0].history[0].headers["Cache-Control"].startswith("private, max-age=")
    end = time.monotonic() + 45
    while member("GET", "/stats", params={"ranking": ranking}).json()["totals"]["impressions"] != 1:
        assert time.monotonic() < end
        time.sleep(0.3)


def test_an_unknown_ranking_has_no_best_image(cloud):
    for ranking in ("0" * 26, "nothing"):
        assert requests.get(f"{cloud.base_url}/best/{ranking}", timeout=10).status_code == 404
