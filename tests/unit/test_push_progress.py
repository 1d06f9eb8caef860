"""Progress: what a poll of the head and the shards tells."""

from chalicelib.push import progress

START = 1_795_348_800
HEAD = {"state": "sending", "started_at": START, "planned_at": START + 10}
SHARDS = [
    {"sk": "campaign#0", "sms_planned": 30, "sms_sending": 5, "sms_sent": 40},
    {"sk": "campaign#3", "sms_sent": 10, "sms_failed": 5, "push_unknown": 5, "push_skipped": 7, "push_cancelled": 1},
]


def test_shards_and_channels_add_up():
    found = progress.of(HEAD, SHARDS, START + 60)
    assert (found.total, found.planned, found.sent, found.failed) == (103, 35, 50, 5)
    assert (found.skipped, found.unknown, found.cancelled) == (7, 5, 1)
    assert {channel: counts.total for channel, counts in found.channels.items()} == {"sms": 90, "push": 13}


def test_the_rate_is_of_tried_messages_and_tells_when_the_rest_is_sent():
    found = progress.of(HEAD, SHARDS, START + 60)
    assert (found.rate_per_second, found.eta_seconds) == (1.0, 35)


def test_pauses_do_not_count():
    found = progress.of({**HEAD, "paused_seconds": 30}, SHARDS, START + 60)
    assert (found.rate_per_second, found.eta_seconds) == (2.0, 18)


def test_while_planning_goes_on_the_total_is_not_final_and_nobody_knows_the_end():
    found = progress.of({"state": "planning", "started_at": START}, SHARDS, START + 60)
    assert (found.total_is_final, found.rate_per_second, found.eta_seconds) == (False, 1.0, None)


def test_a_paused_campaign_has_no_rate():
    found = progress.of({**HEAD, "state": "paused"}, SHARDS, START + 60)
    assert (found.rate_per_second, found.eta_seconds) == (None, None)


def test_done_is_planned_and_nothing_left():
    sent = [{"sms_planned": 0, "sms_sent": 3}]
    assert progress.of(HEAD, sent, START).is_done
    assert not progress.of({"state": "planning"}, sent, START).is_done
    assert not progress.of(HEAD, [{"sms_sending": 1}], START).is_done


def test_an_empty_campaign_is_done_once_it_is_planned():
    found = progress.of(HEAD, [], START)
    assert (found.total, found.is_done, found.channels) == (0, True, {})
