import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push.platforms import MOST_BYTES, Platform, attributes, distinct, message, token

PLATFORMS: list[Platform] = ["APNS", "APNS_SANDBOX", "GCM"]
CAMPAIGN = "01k9z5c3a8e7d2m4q6s8v0x1y3"


def sent(platform: Platform, text: str = "Hello", **fields: Any) -> tuple[str, dict[str, Any]]:
    """The platform's own JSON, as text and read."""
    envelope = json.loads(message(platform, text, campaign=CAMPAIGN, **fields))
    assert set(envelope) == {"default", platform}
    return envelope[platform], json.loads(envelope[platform])


def body(platform: Platform, payload: dict[str, Any]) -> str:
    if platform == "GCM":
        return str(payload["fcmV1Message"]["message"]["notification"]["body"])
    return str(payload["aps"]["alert"]["body"])


@pytest.mark.parametrize("platform", ["APNS", "APNS_SANDBOX"])
def test_apple_gets_an_alert(platform):
    _, payload = sent(platform, title="Hi", data={"open": "ranking"}, badge=3)
    assert payload == {
        "aps": {"alert": {"title": "Hi", "body": "Hello"}, "sound": "default", "thread-id": CAMPAIGN, "badge": 3},
        "open": "ranking",
        "campaign": CAMPAIGN,
    }
    assert attributes(platform, CAMPAIGN) == {
        "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": {"DataType": "String", "StringValue": CAMPAIGN},
        "AWS.SNS.MOBILE.APNS.PUSH_TYPE": {"DataType": "String", "StringValue": "alert"},
    }


def test_google_gets_a_message_of_its_first_version():
    _, payload = sent("GCM", title="Hi", data={"open": "ranking"}, badge=3)
    assert payload == {
        "fcmV1Message": {
            "message": {
                "notification": {"title": "Hi", "body": "Hello"},
                "data": {"open": "ranking", "campaign": CAMPAIGN},
                "android": {"notification": {"tag": CAMPAIGN, "notification_count": 3}},
            }
        }
    }
    assert attributes("GCM", CAMPAIGN) == {}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_not_given_is_left_out(platform):
    text, _ = sent(platform)
    assert "badge" not in text
    assert "notification_count" not in text
    assert "title" not in text


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    "text", ["a" * 5000, "ё" * 3000, "😀" * 2000, '"' * 3000, "👨‍👩‍👧" * 500, "🇩🇪" * 900, "e\u0301" * 2000]
)
def test_a_long_text_is_cut_behind_a_whole_character(platform, text):
    payload, read = sent(platform, text, title="Hi")
    shown = body(platform, read)
    kept = shown.removesuffix("…")
    assert len(payload.encode()) <= MOST_BYTES
    assert len(payload.encode()) > MOST_BYTES - 40
    assert text.startswith(kept)
    assert shown == kept + "…"
    following = text[len(kept)]
    assert not unicodedata.combining(following)
    assert "\u200d" not in (following, kept[-1])
    assert not text.startswith("🇩") or len(kept) % 2 == 0


@given(
    st.sampled_from(PLATFORMS),
    st.text(min_size=1, max_size=40).filter(str.strip),
    st.integers(1, 3000),
    st.text(max_size=200),
)
def test_any_text_fits_and_is_whole_where_it_can_be(platform, text, times, title):
    text = text * times
    payload, read = sent(platform, text[:6000], title=title or None)
    shown = body(platform, read)
    assert len(payload.encode()) <= MOST_BYTES
    assert shown == text[:6000] or (shown.endswith("…") and text.startswith(shown[:-1].rstrip()))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_last_text_that_fits_is_whole(platform):
    room = MOST_BYTES - len(sent(platform, "x")[0].encode()) + 1
    assert body(platform, sent(platform, "x" * room)[1]) == "x" * room
    assert body(platform, sent(platform, "x" * (room + 1))[1]) == "x" * (room - 3) + "…"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n"}, "text"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"campaign": "x" * 65}, "campaign"),
        ({"campaign": "ё" * 33}, "campaign"),
        ({"campaign": ""}, "campaign"),
        ({"badge": -1}, "badge"),
        ({"data": {"aps": "x"}}, "data.aps"),
        ({"data": {"campaign": "x"}}, "data.campaign"),
        ({"data": {"from": "x"}}, "data.from"),
        ({"data": {"google.x": "x"}}, "data.google.x"),
        ({"data": {"": "x"}}, r"data\."),
        ({"data": {"x": "x" * 4000}}, "data: .* no room"),
        ({"data": {"x": "x" * 5000}}, "data: .* no room"),
    ],
)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_no_platform_takes_is_refused_by_field(platform, fields, field):
    with pytest.raises(ValueError, match=f"^{field}"):
        message(platform, **({"text": "Hello", "campaign": CAMPAIGN} | fields))


APPLE = "0123456789ABCDEF" * 4


def test_a_device_that_is_named_twice_is_one():
    spaced = f"<{APPLE[:8]} {APPLE[8:]}>"
    devices = [
        ("APNS", APPLE),
        ("GCM", "a:B"),
        ("APNS", spaced),
        ("GCM", " a:B "),
        ("APNS_SANDBOX", APPLE),
        ("GCM", "a:b"),
    ]
    assert distinct(devices) == [
        ("APNS", APPLE.lower()),
        ("GCM", "a:B"),
        ("APNS_SANDBOX", APPLE.lower()),
        ("GCM", "a:b"),
    ]


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        ("APNS", ""),
        ("APNS", "a" * 63),
        ("APNS", "g" * 64),
        ("APNS", "a" * 401),
        ("GCM", ""),
        ("GCM", "a b"),
        ("GCM", "x" * 2049),
        ("GCM", "é"),
    ],
)
def test_a_token_that_is_none_is_refused(platform, text):
    with pytest.raises(ValueError, match=f"token of {platform} has"):
        token(platform, text)
