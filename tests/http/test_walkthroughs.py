"""What docs/tracking.md, delivery.md, your-own-model.md and push.md tell a newcomer to type, typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def commands(page, cloud):
    """Everything behind a `$` in the page's console blocks, told of this cloud instead of the one on port 8000."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    typed = [text for block in blocks for text in re.findall(r"^\$ ((?:.*\\\n)*.*(?:\n> .*)*)$", block, re.MULTILINE)]
    told = {
        "http://localhost:8000": cloud.base_url,
        "http://localhost:4566": cloud.env["AWS_ENDPOINT_URL"],
        "--stage local": f"--stage {cloud.env['PROOFSHEET_STAGE']}",
        ".venv/bin/python": sys.executable,
        "you@mail.example": f"{uuid.uuid4().hex}@example.com",
    }
    return [
        re.sub("|".join(map(re.escape, told)), lambda found: told[found[0]], text.replace("\n> ", "\n"))
        for text in typed
    ]


def type_in(lines, cloud, seconds=90):
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(lines)],
        cwd=ROOT,
        env={**os.environ, **cloud.env},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def explained(page, title):
    """What is named in the first column of the table under a title."""
    rows = (ROOT / "docs" / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0].splitlines()
    return {name for row in rows if row.startswith("| `") for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.timeout(180)
def test_the_walk_through_of_tracking_ends_with_a_click_that_is_counted(cloud):
    *steps, look = commands("tracking.md", cloud)
    until_counted = (
        f"for try in $(seq 60); do SEEN=$({look}); case $SEEN in *'\"clicks\":1'*) break;; esac; sleep 1; done"
    )
    output = type_in([*steps, until_counted, "echo; echo $SEEN"], cloud)
    assert '{"success":true,"accepted":1,"rejected":0}' in output
    assert '"totals":{"impressions":0,"clicks":1,"submits":0,"conversions":0}' in output


@pytest.mark.timeout(180)
def test_the_walk_through_of_delivery_ends_with_a_picture(cloud):
    output = type_in(commands("delivery.md", cloud), cloud)
    url = re.search(r'"url":"([^"]+)"', output)[1]
    picture = subprocess.run(["curl", "-sL", url], capture_output=True, timeout=30, check=True).stdout
    assert picture[8:12] == b"WEBP"


@pytest.mark.timeout(400)
def test_the_walk_through_of_an_own_model_goes_from_posts_to_its_deletion(cloud, tmp_path):
    typed = [line.replace("build/posts", str(tmp_path)) for line in commands("your-own-model.md", cloud)]
    output = type_in(typed, cloud, seconds=300)
    answers = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    begun, learned, unusable, ranked, noise, refused, better, taken_back, gone = answers
    assert (begun["state"], learned["state"], learned["version"], learned["n"]) == ("queued", "ready", 1, 45)
    assert learned["report"]["compared_with_general"]["own"] > learned["report"]["compared_with_general"]["general"]
    assert [problem["row"] for problem in unusable["items"]] == [47, 48]
    assert [len(entry["similar"]) for entry in ranked["entries"]] == [3] * 4
    assert all(entry["reasons"] for entry in ranked["entries"])
    assert (noise["state"], refused["error"]["code"]) == ("not_enough_signal", "conflict")
    assert (better["version"], better["report"]["newest_posts"]["n"], taken_back["version"]) == (2, 15, 3)
    assert gone["error"]["code"] == "not_found"
    assert {*noise["report"], *better["report"]} <= explained("your-own-model.md", "The report")


@pytest.mark.timeout(400)
def test_the_walk_through_of_push_goes_from_recipients_to_a_deletion(cloud, tmp_path):
    typed = [line.replace("build", str(tmp_path)) for line in commands("push.md", cloud)]
    output = type_in(typed, cloud, seconds=300)
    answers = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    stored, gina, _, standings, dry, refused, sent, skipped, hugo, dear, cancelled, audit, inbox, read, gone = answers
    assert (stored["stored"], stored["problems"][0]["id"], gina["line"]) == (2, "carl", 5)
    assert "4 of 5 rows are stored" in output
    assert [(each["recipient"], each["points"], each["badges"]) for each in standings["items"]] == [
        ("anna", 20, ["Regular"]),
        ("bert", 10, []),
    ]
    assert (
        dry["estimate"]["exact"],
        dry["estimate"]["recipients"],
        dry["estimate"]["channels"]["sms"]["messages"],
    ) == (
        True,
        6,
        4,
    )
    assert refused["error"]["field"] == "template.sms"
    assert (sent["state"], sent["progress"]["sent"], sent["progress"]["skipped"]) == ("completed", 5, 7)
    assert {row["state"] for row in skipped["items"]} == {"skipped"}
    assert hugo["sms_blocked"].startswith("OptedOut")
    assert (dear["reason"], cancelled["state"], audit["items"][0]["action"]) == (
        "max_dollars",
        "cancelled",
        "campaign.cancelled",
    )
    assert [message["text"] for message in inbox["items"]] == ["Hi Bert! You have 10 points."]
    assert (read, gone["error"]["code"]) == ({"unread": 0}, "not_found")
