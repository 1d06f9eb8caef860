"""Push at the dashboard: what the page says is what the API says, and what it starts, it starts once."""

from __future__ import annotations

import itertools
import re
import uuid

import pytest
from playwright.sync_api import expect

REFUSED = "status of 422"
NOT_THERE = "status of 404"
PHONES = itertools.count(4915118760000)
MARKUP = '<img src="x" onerror="alert(1)">'
HEBREW = "דנה"
LATER = "2027-11-01T10:00:00Z"
SENDING = 90_000  # ms that a campaign to a few may take where others keep the machine busy


@pytest.fixture(scope="module")
def boss(people, new_caller):
    """An admin whose account several tests use."""
    return people.person(new_caller("admin"))


def fresh(person, address):
    """A page without what a test before left on it."""
    person.page.goto("about:blank")
    return person.open(address)


def recipient(name, **more):
    return {"id": f"{uuid.uuid4().hex[:6]}@{uuid.uuid4().hex[:6]}", "attributes": {"name": name}, **more}


def with_phone(name):
    return recipient(name, phone=f"+{next(PHONES)}")


def store(person, *items):
    answer = person.api("PUT", "/recipients", {"items": list(items)})
    assert answer.json() == {"stored": len(items), "problems": []}


def started(person, **more):
    body = {"name": "spring", "channel": "sms", "template": {"sms": "Hi {{ attributes.name }}"}, **more}
    answer = person.api("POST", "/campaigns", body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def campaigns(person):
    return person.api("GET", "/campaigns").json()["items"]


def compose(page, name, text):
    page.get_by_label("Name", exact=True).fill(name)
    template(page).fill(text)


def template(page):
    return page.get_by_role("textbox", name="Text message")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def bar(page):
    return page.get_by_role("progressbar", name="Progress of this campaign")


def tag(page, word):
    return page.get_by_role("heading", level=1).get_by_text(word, exact=True)


# Campaigns


def test_a_campaign_is_composed_tried_dry_started_and_its_bar_reaches_its_end(admin, shot, assert_accessible):
    store(admin, with_phone("Anna"), with_phone(HEBREW), with_phone(MARKUP), recipient("Nobody"))
    page = admin.open("#/push/new")
    compose(page, "Spring sale", "Hi ")
    button(page, "name").click()
    preview = page.get_by_role("complementary", name="Dry run")
    expect(preview.get_by_text(f"Hi {MARKUP}")).to_be_visible()
    expect(preview.get_by_text("1 no phone number")).to_be_visible()
    shot(page, "composer", dark=True, phone=True)
    button(page, "Start …").click()
    dialog = page.get_by_role("dialog", name="Start this campaign?")
    expect(dialog.get_by_text(re.compile(r"^3 messages for \$0\.\d+, now\.$"))).to_be_visible()
    assert_accessible(page)
    button(dialog, "Start now").click()
    expect(page.get_by_text("4 of 4 messages are done", exact=True)).to_be_visible(timeout=SENDING)
    expect(bar(page)).to_have_attribute("aria-valuenow", "4")
    expect(page.get_by_text("100 %", exact=True)).to_be_visible()
    expect(tag(page, "Completed")).to_be_visible()
    [made] = campaigns(admin)
    progress = admin.api("GET", f"/campaigns/{made['id']}").json()["progress"]
    assert (progress["total"], progress["sent"], progress["skipped"]) == (4, 3, 1)
    for state in ("sent", "skipped", "failed"):
        entry = page.get_by_role("button", name=re.compile(f"^{state} {progress[state]} ", re.IGNORECASE))
        expect(entry).to_be_visible()
    expect(page.get_by_role("cell", name="no phone number")).to_be_visible()
    assert_accessible(page)
    shot(page, "campaign", dark=True, phone=True)


def test_two_clicks_start_one_campaign_and_one_that_is_scheduled_says_so(admin):
    store(admin, with_phone("Anna"))
    page = admin.open("#/push/new")
    compose(page, "New year", "Happy new year")
    page.get_by_label("Start later").check()
    page.get_by_label("Starts at").fill("2027-01-01T09:00")
    button(page, "Schedule …").click()
    button(page, "Schedule it").dblclick()
    expect(tag(page, "Scheduled")).to_be_visible()
    assert [each["name"] for each in campaigns(admin)] == ["New year"]


def test_a_campaign_is_paused_resumed_and_cancelled_for_good(boss, assert_accessible):
    campaign = started(boss, starts_at=LATER, template={"sms": "later"})
    page = fresh(boss, f"#/push/campaigns/{campaign}")
    button(page, "Pause").click()
    expect(tag(page, "Paused")).to_be_visible()
    button(page, "Resume").click()
    expect(tag(page, "Scheduled")).to_be_visible()
    button(page, "Cancel the campaign …").click()
    assert_accessible(page)
    button(page, "Keep it").click()
    expect(tag(page, "Scheduled")).to_be_visible()
    button(page, "Cancel the campaign …").click()
    button(page, "Cancel for good").click()
    expect(tag(page, "Cancelled")).to_be_visible()
    expect(button(page, "Pause")).to_have_count(0)


def test_a_campaign_without_money_says_so_and_goes_on_with_more(admin):
    store(admin, with_phone("Anna"))
    campaign = started(admin, max_dollars=0.001)
    page = admin.open(f"#/push/campaigns/{campaign}")
    expect(page.get_by_text("would cost more than the campaign may")).to_be_visible(timeout=SENDING)
    limit = page.get_by_label("New limit in dollars")
    limit.fill("0.0005")
    button(page, "Resume").click()
    expect(limit).to_have_accessible_description(re.compile("pause again at once"))
    limit.fill("5")
    button(page, "Resume").click()
    expect(tag(page, "Completed")).to_be_visible(timeout=SENDING)
    expect(page.get_by_text("1 of 1 messages are done", exact=True)).to_be_visible()


def test_a_campaign_that_sns_refuses_says_what_sns_said(boss):
    campaign = started(boss, starts_at=LATER, template={"sms": "later"})
    held_up = {"reason": "PlatformApplicationDisabled: <b>off</b>", "at": "2026-11-22T12:00:00.000Z"}

    def refused(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "held_up": held_up})

    boss.page.route(f"**/campaigns/{campaign}", refused)
    page = fresh(boss, f"#/push/campaigns/{campaign}")
    expect(page.get_by_text("SNS refused messages")).to_contain_text(held_up["reason"])
    page.unroute(f"**/campaigns/{campaign}")


def test_who_was_left_out_is_listed_with_the_reason(admin):
    stopped = recipient("Hugo", phone="+12025500000")  # the emulator takes it for one that replied STOP
    store(admin, stopped)
    page = admin.open(f"#/push/campaigns/{started(admin)}")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=stopped["id"]))
    expect(row.get_by_text("is opted out")).to_be_visible(timeout=SENDING)


def test_what_is_wrong_with_a_template_stands_at_its_field(boss):
    boss.expect_trouble(REFUSED)
    store(boss, with_phone("Anna"))
    page = fresh(boss, "#/push/new")
    compose(page, "oops", "Hi {{")
    expect(template(page)).to_have_accessible_description(re.compile("not understood"))
    template(page).fill("Hi {{ attributes.nmae }}")
    button(page, "Start …").click()
    button(page, "Start now").click()
    expect(template(page)).to_have_accessible_description(re.compile("Did you mean attributes.name?"))
    expect(template(page)).to_be_focused()


def test_a_campaign_needs_a_name_and_a_text_before_anything_is_asked(boss):
    page = fresh(boss, "#/push/new")
    button(page, "Start …").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(template(page)).to_have_accessible_description(re.compile("Write the text message"))


def test_an_audience_is_built_from_conditions(admin):
    store(admin, *({**with_phone(city), "attributes": {"city": city}} for city in ("Boston", "Berlin", "Rome")))
    page = admin.open("#/push/new")
    compose(page, "cities", "Hi")
    page.get_by_label("Add a condition").select_option("An attribute")
    page.get_by_label("Attribute", exact=True).fill("city")
    page.get_by_label("Is any of").fill("Boston, Berlin")
    preview = page.get_by_role("complementary", name="Dry run")
    recipients = preview.get_by_role("definition").first
    expect(recipients).to_have_text("2")
    page.get_by_role("button", name="Remove the condition").press("Enter")
    expect(page.get_by_label("Add a condition")).to_be_focused()
    preview.get_by_role("button", name=re.compile("look again", re.IGNORECASE)).click()
    expect(recipients).to_have_text("3")


def test_percents_add_up_and_never_say_all_too_early(boss):
    page = fresh(boss, "#/push")
    percents = """async (counts) => {
        const main = document.querySelector('script[src$="main.js"]').src;
        return (await import(new URL("tally.js", main))).percents(counts);
    }"""
    assert page.evaluate(percents, [1, 1, 1]) == [34, 33, 33]
    assert page.evaluate(percents, [999, 0, 1]) == [99, 0, 0]
    assert page.evaluate(percents, [0, 0, 0]) == [0, 0, 0]


def test_names_with_markup_and_right_to_left_are_shown_as_they_are(boss):
    name = f"{MARKUP} {HEBREW}"
    started(boss, name=name, starts_at=LATER, template={"sms": "Hi"})
    page = fresh(boss, "#/push")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


# Recipients


def test_a_recipient_is_added_looked_up_and_deleted(boss, assert_accessible):
    boss.expect_trouble(NOT_THERE)
    page = fresh(boss, "#/push/recipients")
    button(page, "Add one").click()
    page.get_by_label("Id", exact=True).fill("anna@shop")
    page.get_by_label("Phone", exact=True).fill("030 1234567")
    page.get_by_label("Value").fill("Anna")
    button(page, "Add an attribute").click()
    page.get_by_role("button", name="Remove from attributes: number 2").press("Enter")
    expect(button(page, "Add an attribute")).to_be_focused()
    button(page, "Save").click()
    expect(page.get_by_label("Phone", exact=True)).to_have_accessible_description(re.compile("needs \\+"))
    assert_accessible(page)
    page.get_by_label("Phone", exact=True).fill("+49 1512 3456789")
    button(page, "Save").click()
    expect(button(page, "anna@shop")).to_be_visible()
    assert boss.api("GET", "/recipients/anna@shop").json()["attributes"] == {"name": "Anna"}
    page.get_by_label("Look up an id").fill("anna@shop")
    button(page, "Look up").click()
    dialog = page.get_by_role("dialog", name="anna@shop")
    expect(dialog.get_by_text("+4915123456789")).to_be_visible()
    assert_accessible(page)
    button(dialog, "Delete …").click()
    button(page, "Delete").click()
    expect(button(page, "anna@shop")).to_have_count(0)
    button(page, "Look up").click()
    expect(page.get_by_text("There is nobody with this id.")).to_be_visible()


def test_a_list_whose_next_page_fails_goes_on_from_there(boss):
    boss.expect_trouble("status of 400")
    anna, bert = ({"id": name, "devices": [], "attributes": {}, "opt_out": []} for name in ("anna", "bert"))
    boss.page.route("**/recipients?limit=50", lambda route: route.fulfill(json={"items": [anna], "next": "2"}))
    boss.page.route("**/recipients?*cursor=2", lambda route: route.fulfill(json={"items": [bert], "next": None}))
    boss.page.route("**/recipients?*cursor=2", lambda route: route.fulfill(status=400, json={}), times=1)
    page = fresh(boss, "#/push/recipients")
    button(page, "Show more").click()
    button(page, "Try again").click()
    for name in ("anna", "bert"):
        expect(button(page, name)).to_be_visible()
    page.unroute_all()


def test_a_file_is_imported_and_its_bad_row_is_named(admin, assert_accessible):
    page = admin.open("#/push/recipients")
    page.route(re.compile(r"/problems\.jsonl\?"), broken_at_its_head)
    button(page, "Import a CSV file").click()
    data = f"id,phone,attributes.name\nanna,+{next(PHONES)},Anna\nbert,call me,Bert\n"
    file = {"name": "customers.csv", "mimeType": "text/csv", "buffer": data.encode()}
    page.get_by_label("File").set_input_files(file)
    expect(page.get_by_text("1 of 2 rows are stored.")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="3", exact=True))
    expect(row).to_contain_text("bert")
    assert_accessible(page)
    button(page, "Done").click()
    expect(button(page, "anna")).to_be_visible()


def broken_at_its_head(route):
    answer = route.fetch()
    route.fulfill(response=answer, body=f'{{"line": 2, "rea\n{answer.text()}')


def test_an_attribute_may_be_called_like_anything(boss):
    page = fresh(boss, "#/push/recipients")
    button(page, "Add one").click()
    page.get_by_label("Id", exact=True).fill("odd")
    page.get_by_label("Name", exact=True).fill("__proto__")
    page.get_by_label("Value").fill("x")
    button(page, "Save").click()
    expect(button(page, "odd")).to_be_visible()
    assert boss.api("GET", "/recipients/odd").json()["attributes"] == {"__proto__": "x"}
    page = fresh(boss, "#/push/new")
    compose(page, "odd", "Hi")
    page.get_by_label("Add a condition").select_option("An attribute")
    page.get_by_label("Attribute", exact=True).fill("constructor")
    with page.expect_request(lambda request: "constructor" in (request.post_data or "")) as asked:
        page.get_by_label("Is any of").fill("Boston")
    assert asked.value.post_data_json["audience"] == {"attributes": {"constructor": ["Boston"]}}


# Standings


def test_rules_are_written_and_standings_computed_by_them(admin, assert_accessible):
    admin.expect_trouble(REFUSED, "status of 400")
    page = admin.open("#/push/standings")
    expect(page.get_by_text("Not computed yet")).to_be_visible()
    button(page, "Write them").click()
    rules = page.get_by_label("Rules as JSON")
    good = rules.input_value()
    rules.fill('{"points": {"click": "many"}}')
    button(page, "Save").click()
    expect(rules).to_have_accessible_description(re.compile("points", re.IGNORECASE))
    assert_accessible(page)
    rules.fill(good)
    button(page, "Save").click()
    expect(page.get_by_text("10 × Purchase")).to_be_visible()
    button(page, "Compute now").click()
    expect(page.get_by_text("Nobody has a standing yet")).to_be_visible(timeout=SENDING)


def test_a_standing_says_rank_level_badges_and_how_far_it_moved(boss, assert_accessible, shot):
    rows = [("anna", 30, 1, "Silver", ["Regular"], 2), ("bert", 20, 2, None, [], -1), ("carl", 9, 3, None, [], None)]
    names = ("recipient", "points", "rank", "level", "badges", "movement")
    items = [dict(zip(names, row, strict=True)) for row in rows]
    known = {"snapshot": "01m8", "computed_at": "2026-11-22T16:54:37Z", "counted_until": "2026-11-21", "season": None}
    boss.page.route(
        "**/standings?*", lambda route: route.fulfill(json={"items": items, "next": None, "total": 3, **known})
    )
    page = fresh(boss, "#/push/standings")
    for moved in ("1 up 2 anna", "2 down 1 bert", "3 new carl"):
        expect(page.get_by_role("row", name=moved)).to_be_visible()
    assert_accessible(page)
    shot(page, "standings-moved")
    boss.page.unroute("**/standings?*")


# Who may


def test_whoever_is_no_admin_is_told_who_can_make_them_one(person, assert_accessible):
    page = person.open("#/push/recipients")
    expect(page.get_by_text("Campaigns are for admins")).to_be_visible()
    assert_accessible(page)
