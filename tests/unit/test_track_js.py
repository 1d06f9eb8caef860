"""The tracking script as browsers get it."""

import gzip

from chalicelib import web

MAX_BYTES = 4096


def test_the_tracking_script_takes_less_than_4_kb_on_the_wire():
    body, _ = web.asset("track.js")
    assert len(gzip.compress(body, 9)) < MAX_BYTES


def test_the_tracking_script_is_served_as_javascript():
    _, content_type = web.asset("track.js")
    assert content_type == "text/javascript; charset=utf-8"
