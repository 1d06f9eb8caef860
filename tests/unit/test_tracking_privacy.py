from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.tracking.bots import is_bot
from chalicelib.tracking.privacy import KNOWN_KEYS, cut, is_private, mask, mask_url, opted_out, without_addresses
from tests.tracking_events import CHROME, GOOGLEBOT


@given(st.ip_addresses(v=4))
def test_of_an_ipv4_address_24_bits_remain(address):
    assert IPv4Address(cut(str(address)) or "") == ip_network(f"{address}/24", strict=False).network_address


@given(st.ip_addresses(v=6).filter(lambda address: not address.ipv4_mapped))
def test_of_an_ipv6_address_48_bits_remain(address):
    for text in (str(address), address.exploded, f"{address}%eth0"):
        assert IPv6Address(cut(text) or "") == ip_network(f"{address}/48", strict=False).network_address


def test_ipv4_written_as_ipv6_is_cut_as_ipv4():
    assert cut("::ffff:203.0.113.77") == "203.0.113.0"


@pytest.mark.parametrize(
    "text", [None, "", "unknown", "203.0.113", "203.0.113.777", "1.2.3.4, 5.6.7.8", "é", "\0", ":::"]
)
def test_what_is_no_address_leaves_nothing(text):
    assert cut(text) is None


@pytest.mark.parametrize("headers", [{"dnt": "1"}, {"DNT": "1"}, {"Sec-GPC": "1"}, {"sec-gpc": " 1", "dnt": "0"}])
def test_either_signal_opts_out(headers):
    assert opted_out(headers)


@pytest.mark.parametrize("headers", [None, {}, {"dnt": "0"}, {"dnt": "null"}, {"sec-gpc": ""}, {"x-dnt": "1"}])
def test_no_signal_does_not(headers):
    assert not opted_out(headers)


@given(st.ip_addresses(), st.sampled_from(['"{}"', "at {} today", "[{}]", "{}", "({},"]))
def test_no_address_remains_in_a_masked_text(address, around):
    kept = mask(around.format(address))
    assert str(address) not in kept or cut(str(address)) == str(address)
    assert kept == around.format(cut(str(address)))


@pytest.mark.parametrize(
    "text", ["2026-11-18T11:06:40.123Z", "10:00:00", "Chrome/142.0.0.0", "std::vector", "1.2.3", "Chrome/142.0.7444.59"]
)
def test_what_looks_a_little_like_one_stays(text):
    assert mask(text) == text


def test_keys_of_addresses_go_at_any_depth_and_the_others_stay():
    told = {"ip": "203.0.113.7", "zip": "1", "list": [{"ipAddress": "x", "b": [1]}], "in": {"remote_addr": 1, "$ip": 2}}
    assert without_addresses(told) == {"zip": "1", "list": [{"b": [1]}], "in": {}}


@pytest.mark.parametrize("agent", [GOOGLEBOT, "Mozilla/5.0 (compatible; bingbot/2.0)", "HeadlessChrome/142.0.0.0"])
def test_crawlers_are_bots(agent):
    assert is_bot(agent)


@pytest.mark.parametrize("agent", ["", CHROME, "analytics-python/2.4.0", "analytics-node-next/latest", "curl/8.5.0"])
def test_browsers_servers_and_silent_visitors_are_not(agent):
    assert not is_bot(agent)


@pytest.mark.parametrize(
    "key",
    [
        "remote_address",
        "IPAddress",
        "ip-address",
        "x_forwarded_for",
        "X-Forwarded-For",
        "$ip",
        "visitorIp",
        "REMOTE_ADDR",
    ],
)
def test_a_key_of_an_address_goes_in_any_spelling(key):
    assert without_addresses({key: "203.0.113.7", "x": 1}) == {"x": 1}
    assert not is_private({"zip": "1", key: "203.0.113.7"})
    assert not is_private({"zip": "1", key: "203.0.113.7"})  # nor when it has been seen


def test_keys_of_anything_else_stay_however_many_there_are():
    assert all(is_private({f"key{number}": 1}) for number in range(KNOWN_KEYS + 10))
    assert not is_private({f"key{KNOWN_KEYS + 9}": 1, "ip": "203.0.113.7"})
    assert is_private({"zip": 1, "tip": 1, "recipe": 1, "shipping": 1})


@given(
    st.ip_addresses(), st.sampled_from(["?ip={}&x=1", "/{}/a", "?next=%2F%3Fip%3D{}", "?list=1%20{}%20", "#%5B{}%5D"])
)
def test_no_address_remains_in_a_url_however_it_is_encoded(address, around):
    for text in (str(address), quote(str(address), safe=""), quote(quote(str(address), safe=""), safe="")):
        kept = mask_url("https://shop.example" + around.format(text))
        assert str(address) not in unquote(unquote(kept)) or cut(str(address)) == str(address)


@pytest.mark.parametrize(
    "url", ["https://a.b.example/x?q=50%25&next=%2Fy", "https://shop.example:8443/?v=1.2.3", "a%ZZ"]
)
def test_a_url_without_an_address_stays_as_it_is(url):
    assert mask_url(url) == url
