"""Lost answers, late ones, and pages that nobody looks at: nothing is done twice, and nothing is forgotten."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import expect

BUSY = {"error": {"code": "conflict", "message": "It is still running.", "field": "Idempotency-Key"}}


def test_an_answer_that_breaks_off_is_asked_for_again(person):
    broken = {"status": 200, "content_type": "application/json", "body": '{"items": ['}
    person.page.route("**/rankings?*", lambda route: route.fulfill(**broken), times=1)
    page = person.open("#/rank")
    expect(page.get_by_text("None yet. Your first lies here")).to_be_visible()


def test_a_page_whose_style_was_lost_once_is_there_the_next_time(person):
    person.expect_trouble("models.css")
    person.page.route("**/models.css", lambda route: route.abort(), times=1)
    page = person.open("#/inbox")
    expect(page.get_by_role("heading", name="This page could not be fetched")).to_be_visible()
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    assert page.locator("link[href$='models.css']").count() == 1


def test_a_campaign_whose_start_seems_lost_is_waited_for_and_started_once(admin):
    """The first try arrives, and only its answer is lost; the second comes while the first is still at work."""
    admin.expect_trouble("status of 504", "status of 409")
    recipient = {"id": uuid.uuid4().hex, "phone": f"+49151{uuid.uuid4().int % 10**8:08}"}
    assert admin.api("PUT", "/recipients", {"items": [recipient]}).ok
    page, keys = admin.open("#/push/new"), []

    def lose(route):
        if route.request.method != "POST" or route.request.post_data_json.get("dry_run"):
            return route.fallback()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            return route.fulfill(status=504, headers={"Retry-After": "1"})
        return route.fulfill(status=409, json=BUSY) if len(keys) == 2 else route.fallback()

    page.route(re.compile(r"/campaigns$"), lose)
    page.get_by_label("Name", exact=True).fill("once")
    page.get_by_role("textbox", name="Text message").fill("Hello")
    page.get_by_role("button", name="Start …").click()
    page.get_by_role("button", name="Start now").click()
    page.wait_for_url(re.compile(r"#/push/campaigns/\w+$"))
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len(admin.api("GET", "/campaigns").json()["items"]) == 1


def test_what_has_ended_is_looked_at_again_on_demand_and_goes_on_after_the_page_was_hidden(guest):
    assert guest.open().evaluate(WATCH) == {"ended": 1, "hidden": 2, "seen": 3, "later": 3}


# Polls a count of its own looks, which is final but for the second; -> the count at four moments.
WATCH = """async () => {
  const near = (name) => import(new URL(name, document.querySelector("script[src$='main.js']").src));
  const [{ usePolled }, { h, render }] = await Promise.all([near("poll.js"), near("preact.js")]);
  const rest = () => new Promise((resolve) => setTimeout(resolve, 50));
  const show = async (shown) => {
    Object.defineProperty(document, "hidden", { value: !shown, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    await rest();
  };
  let looks = 0;
  let again;
  const Watcher = () => {
    ({ again } = usePolled(async () => ++looks, { ended: (count) => count !== 2 }));
    return null;
  };
  render(h(Watcher), document.createElement("div"));
  while (looks === 0) await rest();
  await rest();
  const moments = { ended: looks };
  await show(false);
  again();
  await rest();
  moments.hidden = looks;
  await show(true);
  moments.seen = looks;
  await show(false);
  await show(true);
  moments.later = looks;
  return moments;
}"""
