"""A push message as Apple's (APNs) and Google's (FCM, HTTP v1) services take it through SNS.

    sns.publish(TargetArn=endpoint, MessageStructure="json", Message=message(...), MessageAttributes=attributes(...))

`Message` is a JSON object with one JSON *text* for each platform; FCM v1 is what stands under GCM in `fcmV1Message`,
and SNS adds the token. Both services take 4,096 bytes. A text that would not fit is cut behind a whole character, with
"…" behind it: the phone shows a few lines only, and the inbox has all of it. A title and data that leave no room are
refused.

The campaign's id is APNs' collapse id and FCM's tag, so that a message that comes twice replaces itself on the screen.
APNs takes it as a header, hence the message attribute, and groups by it, hence the thread; the app finds it as
`campaign` in the data. It is no collapse key of FCM, which keeps four of those for a phone that is off, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

Platform = Literal["APNS", "APNS_SANDBOX", "GCM"]

TOKENS = {"APNS": "[0-9a-f]{64,400}", "APNS_SANDBOX": "[0-9a-f]{64,400}", "GCM": "[!-~]{1,2048}"}
MOST_BYTES = 4096
LONGEST_COLLAPSE_ID = 64  # bytes, of APNs
LONGEST_TITLE = 200
RESERVED = frozenset({"aps", "campaign", "from", "message_type"})
RESERVED_STARTS = ("google", "gcm")
ELLIPSIS = "…"
JOINER = "\u200d"


def token(platform: Platform, text: str) -> str:
    """A device's token in its one spelling: Apple's are hexadecimal, in small letters. Raises ValueError."""
    import re

    cleaned = text.strip()
    if platform != "GCM":
        cleaned = re.sub("[<> ]", "", cleaned).lower()
    if not re.fullmatch(TOKENS[platform], cleaned):
        wanted = "1 to 2,048 visible ASCII characters" if platform == "GCM" else "64 to 400 hexadecimal digits"
        raise ValueError(f"A token of {platform} has {wanted}.")
    return cleaned


def distinct(devices: Iterable[tuple[Platform, str]]) -> list[tuple[Platform, str]]:
    """Each device once, in the order of the first time that it was named. Raises ValueError as `token`."""
    return list(dict.fromkeys((platform, token(platform, text)) for platform, text in devices))


def message(
    platform: Platform,
    text: str,
    *,
    campaign: str,
    title: str | None = None,
    data: Mapping[str, str] | None = None,
    badge: int | None = None,
) -> str:
    """The `Message` of SNS.

    data: texts for the app. badge: the number on the app's icon, from 0.
    Raises ValueError, which names the field, for an empty text, a title of over 200 characters, a campaign's id of over
    64 bytes, names of data that a platform keeps for itself, and what leaves no room for the text.
    """
    data = data or {}
    _check(text, title, campaign, data, badge)
    make = _fcm if platform == "GCM" else _apns
    room = MOST_BYTES - len(_encoded(make("", title, campaign, data, badge)))
    shown = _cut(text, room)
    body = _encoded(make(shown, title, campaign, data, badge)).decode()
    return _encoded({"default": shown, platform: body}).decode()


def attributes(platform: Platform, campaign: str) -> dict[str, dict[str, str]]:
    """The `MessageAttributes` of SNS that go with it."""
    if platform == "GCM":
        return {}
    stated = {"COLLAPSE_ID": campaign, "PUSH_TYPE": "alert"}
    return {
        f"AWS.SNS.MOBILE.APNS.{name}": {"DataType": "String", "StringValue": value} for name, value in stated.items()
    }


def _apns(text: str, title: str | None, campaign: str, data: Mapping[str, str], badge: int | None) -> dict[str, Any]:
    alert = {"body": text} if title is None else {"title": title, "body": text}
    aps = {"alert": alert, "sound": "default", "thread-id": campaign}
    return {"aps": aps if badge is None else {**aps, "badge": badge}, **data, "campaign": campaign}


def _fcm(text: str, title: str | None, campaign: str, data: Mapping[str, str], badge: int | None) -> dict[str, Any]:
    notification = {"body": text} if title is None else {"title": title, "body": text}
    shown = {"tag": campaign} if badge is None else {"tag": campaign, "notification_count": badge}
    return {
        "fcmV1Message": {
            "message": {
                "notification": notification,
                "data": {**data, "campaign": campaign},
                "android": {"notification": shown},
            }
        }
    }


def _check(text: str, title: str | None, campaign: str, data: Mapping[str, str], badge: int | None) -> None:
    if not text.strip():
        raise ValueError("text: A message has a text.")
    if title is not None and not 1 <= len(title) <= LONGEST_TITLE:
        raise ValueError(f"title: A title has 1 to {LONGEST_TITLE} characters.")
    if not 1 <= len(campaign.encode()) <= LONGEST_COLLAPSE_ID:
        raise ValueError(f"campaign: A campaign's id has 1 to {LONGEST_COLLAPSE_ID} bytes.")
    if badge is not None and badge < 0:
        raise ValueError("badge: The number on an icon is 0 or more.")
    for name in data:
        if not name or name in RESERVED or name.startswith(RESERVED_STARTS):
            raise ValueError(f"data.{name[:100]}: This name is kept for the platforms.")


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _cut(text: str, room: int) -> str:
    """As much of a text as fits into so many bytes of JSON, whole characters with what belongs to them."""
    if _size(text) <= room:
        return text
    left = room - len(ELLIPSIS.encode())
    end = 0
    for end, character in enumerate(text):  # noqa: B007
        left -= _size(character)
        if left < 0:
            break
    while end and _continues(text, end):
        end -= 1
    if not end:
        raise ValueError("data: The title and the data leave no room for the text.")
    return text[:end].rstrip() + ELLIPSIS


def _size(text: str) -> int:
    """Bytes in JSON, without the quotes: line ends and quotes take two."""
    return len(_encoded(text)) - 2


def _continues(text: str, at: int) -> bool:
    """Whether what stands here belongs to the character before: accents, joined emoji, halves of a flag."""
    import unicodedata

    character = text[at]
    return (
        bool(unicodedata.combining(character))
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
        or JOINER in (character, text[at - 1])
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or _halves_a_flag(text, at)
    )


def _halves_a_flag(text: str, at: int) -> bool:
    letters = 0
    while letters < at and "\U0001f1e6" <= text[at - 1 - letters] <= "\U0001f1ff":
        letters += 1
    return letters % 2 == 1 and "\U0001f1e6" <= text[at] <= "\U0001f1ff"
