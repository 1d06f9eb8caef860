"""Push from recipients to the inbox, known by the API and by what SNS was asked for."""

from __future__ import annotations

import itertools
import uuid

import pytest
import requests

TOKENS = itertools.count(1)
PHONES = itertools.count(4915112340000)
TEXTS = {"sms": "Hi {{ attributes.name }}", "push": "Hi {{ attributes.name }}, {{ campaign.name }}!"}


@pytest.fixture(scope="module")
def admin(new_caller):
    return new_caller("admin")


@pytest.fixture
def sent(cloud):
    """sent(): what SNS was asked to send, by number or endpoint."""
    address = f"{cloud.env['AWS_ENDPOINT_URL']}/_ministack/sns/sms-messages"
    return lambda: requests.get(address, timeout=10).json()["sms_messages"]


def token() -> str:
    return f"{next(TOKENS):032x}{uuid.uuid4().hex}"


def phone() -> str:
    return f"+{next(PHONES)}"


def recipient(name: str, **more):
    return {"id": f"{name}@{uuid.uuid4().hex[:8]}", "attributes": {"name": name}, **more}


def store(admin, *items):
    answer = admin("PUT", "/recipients", {"items": list(items)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def start(admin, **more):
    body = {"name": "spring", "channel": "push", "template": {"push": TEXTS["push"]}, **more}
    answer = admin("POST", "/campaigns", body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def ended(admin, campaign):
    return admin.until(f"/campaigns/{campaign}", lambda seen: seen["state"] in ("completed", "cancelled"))


def told(admin, kind):
    """The newest message of this kind, once there is one."""
    seen = admin.until("/inbox", lambda seen: any(item["kind"] == kind for item in seen["items"]))
    return next(item for item in seen["items"] if item["kind"] == kind)


# The walk


def test_a_campaign_reaches_everybody_once_and_says_so(new_caller, sent):
    admin = new_caller("admin")
    numbers = [phone() for _ in range(3)]
    people = [recipient(name, phone=number) for name, number in zip("abc", numbers, strict=True)]
    nobody = recipient("nobody")
    assert store(admin, *people, nobody) == {"stored": 4, "problems": []}
    campaign = start(admin, channel="sms", template={"sms": TEXTS["sms"]})
    progress = ended(admin, campaign)["progress"]
    counts = {state: progress[state] for state in ("total", "sent", "skipped", "planned")}
    assert counts == {"total": 4, "sent": 3, "skipped": 1, "planned": 0}
    assert [len(texts) for number, texts in sent().items() if number in numbers] == [1, 1, 1]
    assert told(admin, "campaign_completed")["about"] == {"campaign": campaign}


def test_a_push_reaches_the_device_and_the_inbox(admin, sent):
    anna = recipient("Anna", devices=[{"platform": "APNS", "token": token()}, {"platform": "GCM", "token": token()}])
    store(admin, anna)
    campaign = start(admin, audience={"ids": [anna["id"]]})
    assert ended(admin, campaign)["progress"]["sent"] == 1
    pushed = [endpoint for endpoint, texts in sent().items() if campaign in str(texts)]
    assert {endpoint.split("/")[1] for endpoint in pushed} == {"APNS", "GCM"}
    seen = admin.until(f"/inbox?recipient={anna['id']}", lambda seen: seen["items"])
    assert [item["text"] for item in seen["items"]] == ["Hi Anna, spring!"]
    assert seen["unread"] == 1


def test_rules_make_standings_that_choose_an_audience(new_caller):
    admin = new_caller("admin")
    store(admin, recipient("idle"))
    rules = {"points": {"purchase": 10}, "levels": [{"name": "start", "from_points": 0}]}
    assert admin("PUT", "/game", rules).status_code == 200
    assert admin("GET", "/game").json()["points"] == {"purchase": 10}
    made = admin("POST", "/standings")
    assert made.status_code == 202, made.text
    seen = admin.until("/standings", lambda seen: seen["snapshot"] == made.json()["snapshot"])
    assert (seen["items"], seen["total"]) == ([], 0)  # nobody did anything
    campaign = start(admin, channel="sms", template={"sms": "You lead"}, audience={"max_rank": 3})
    assert ended(admin, campaign)["progress"]["total"] == 0


def test_a_file_of_recipients_is_imported_and_its_bad_rows_are_named(new_caller):
    admin = new_caller("admin")
    data = f"id,phone,attributes.name\nanna,{phone()},Anna\nbert,12,Bert\n".encode()
    slot = admin("POST", "/imports", {"name": "customers.csv", "size": len(data)}).json()
    assert admin.send(slot, data).status_code == 204
    seen = admin.until(f"/imports/{slot['id']}", lambda seen: seen["state"] in ("done", "failed"))
    assert (seen["state"], seen["rows"], seen["stored"], seen["problems"]) == ("done", 2, 1, 1)
    assert requests.get(seen["problems_url"], timeout=10).json()["line"] == 3
    assert admin("GET", "/recipients/anna").json()["attributes"] == {"name": "Anna"}


def test_a_dry_run_tells_what_a_campaign_would_do_and_does_nothing(new_caller):
    admin = new_caller("admin")
    store(admin, recipient("Anna", phone=phone()))
    body = {"name": "dry", "channel": "sms", "template": {"sms": TEXTS["sms"]}, "dry_run": True}
    answer = admin("POST", "/campaigns", body).json()
    assert (answer["id"], answer["estimate"]["recipients"], answer["estimate"]["channels"]["sms"]["parts"]) == (
        None,
        1,
        1,
    )
    assert answer["estimate"]["samples"] == ["Hi Anna"]
    assert admin("GET", "/campaigns").json()["items"] == []


def test_a_campaign_waits_is_resumed_and_cancelled_and_the_audit_names_who(new_caller):
    admin = new_caller("admin")
    store(admin, recipient("Anna", phone=phone()))
    campaign = start(admin, channel="sms", template={"sms": "later"}, starts_at="2027-11-01T10:00:00Z")
    for verb, state in (("pause", "paused"), ("resume", "planning"), ("cancel", "cancelled")):
        assert admin("POST", f"/campaigns/{campaign}/{verb}").json()["state"] == state
    assert admin("POST", f"/campaigns/{campaign}/resume").status_code == 409
    me = admin("GET", "/me").json()["user"]
    actions = admin.until("/audit", lambda seen: len(seen["items"]) == 4)["items"]
    assert [each["action"].partition(".")[2] for each in actions] == ["cancelled", "resumed", "paused", "created"]
    assert {each["user"] for each in actions} == {me}


def test_one_key_starts_one_campaign(new_caller):
    admin = new_caller("admin")
    body = {"name": "once", "channel": "sms", "template": {"sms": "Hi"}}
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = (admin("POST", "/campaigns", body, headers=headers).json()["id"] for _ in range(2))
    assert first == second
    assert len(admin("GET", "/campaigns").json()["items"]) == 1


# Refusals


def test_recipients_and_campaigns_are_for_admins(member):
    for path in ("/recipients", "/campaigns", "/audit", "/inbox?recipient=anna"):
        assert member("GET", path).status_code == 403
    assert member("POST", "/standings").status_code == 403


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing.of.this }}",
        "{{ ''.__class__ }}",
        "{% for each in (1, 2) %}{{ each }}{% endfor %}",
        "x" * 2000,
        "{{",
    ],
    ids=["missing", "code", "loop", "long", "broken"],
)
def test_a_template_that_cannot_be_sent_is_refused_before_anybody_gets_it(admin, template):
    answer = admin("POST", "/campaigns", {"name": "bad", "channel": "sms", "template": {"sms": template}})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "template.sms")


def test_recipients_of_another_account_are_not_there(admin, new_caller):
    anna = recipient("Anna")
    store(admin, anna)
    other = new_caller("admin")
    assert other("GET", f"/recipients/{anna['id']}").status_code == 404
    assert admin("DELETE", f"/recipients/{anna['id']}").status_code == 204
    assert admin("GET", f"/recipients/{anna['id']}").status_code == 404


# The inbox


def test_what_was_read_stays_read(new_caller, jpeg):
    member = new_caller()
    images = [member.upload(jpeg) for _ in range(2)]
    assert {member.ready(image)["state"] for image in images} == {"ready"}
    made = [member("POST", "/rankings", {"images": images, "name": name}).json()["id"] for name in ("one", "two")]
    seen = member.until("/inbox", lambda seen: len(seen["items"]) == 2)
    assert {item["about"]["ranking"] for item in seen["items"]} == set(made)
    assert (seen["unread"], {item["read"] for item in seen["items"]}) == (2, {False})
    newest, oldest = (item["id"] for item in seen["items"])
    assert member("POST", "/inbox/read", {"until": newest}).json() == {"unread": 0}
    assert member("POST", "/inbox/read", {"until": oldest}).json() == {"unread": 0}
    first = member("GET", "/inbox?limit=1").json()
    rest = member("GET", f"/inbox?limit=1&cursor={first['next']}").json()
    assert ([item["id"] for item in first["items"] + rest["items"]], rest["next"]) == ([newest, oldest], None)


def test_nothing_is_read_up_to_what_is_no_message(member):
    assert member("POST", "/inbox/read", {"until": "nonsense"}).status_code == 422
