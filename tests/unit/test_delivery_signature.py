import hashlib
import hmac
import json
import string
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.delivery.operations import Operations, parse
from chalicelib.delivery.signature import KeyRing, account_key, expired, rotate, sign, verify
from chalicelib.delivery.variant import Variant, format_key, original, parse_key, signed_text
from chalicelib.errors import BadRequest, Forbidden
from tests.delivery_grammar import ACCOUNT, IMAGE, ODD_KEYS

RING = KeyRing("2", {"1": "the older secret", "2": "the newer secret"})
TEXT = f"w800/{ACCOUNT}/{IMAGE}.webp"
PRINTABLE = string.ascii_letters + string.digits + "/_.,:-%+ ~\n"


def check(key: str) -> None:
    """What the way of a request does with a signed key."""
    variant = parse_key(key)
    verify(RING, variant.original.account, variant.signature or "", signed_text(variant))


def signed_key(source: str) -> str:
    asked = Variant(original(ACCOUNT, source), parse("w800,h600,fit:cover,x:1767225600"), "webp")
    return format_key(replace(asked, signature=sign(RING, ACCOUNT, signed_text(asked))))


def refused(signature: str, text: str = TEXT, account: str = ACCOUNT) -> str:
    with pytest.raises(Forbidden) as forbidden:
        verify(RING, account, signature, text)
    assert forbidden.value.field == "key"
    return forbidden.value.message


def test_the_mac_is_half_of_an_hmac_with_the_account_key_in_hexadecimal():
    key = hmac.new(b"the newer secret", ACCOUNT.encode(), hashlib.sha256).hexdigest()
    mac = hmac.new(key.encode(), TEXT.encode(), hashlib.sha256).hexdigest()[:32]
    signature = sign(RING, ACCOUNT, TEXT)
    assert account_key("the newer secret", ACCOUNT) == key
    assert signature.startswith("2.")
    assert urlsafe_b64decode(signature[2:] + "==").hex() == mac


@pytest.mark.parametrize("source", [IMAGE, *ODD_KEYS])
def test_a_signed_key_is_let_through(source):
    assert check(signed_key(source)) is None


def test_the_older_key_is_let_through():
    older = replace(RING, current="1")
    assert verify(RING, ACCOUNT, sign(older, ACCOUNT, TEXT), TEXT) is None


@given(st.sampled_from([IMAGE, "cat.jpg", "a b.jpg"]), st.integers(0), st.sampled_from(PRINTABLE), st.integers(0, 1))
def test_a_key_with_any_one_character_changed_is_refused(source, position, character, inserted):
    key = signed_key(source)
    position %= len(key) + inserted
    changed = key[:position] + character + key[position + 1 - inserted :]
    if changed != key:
        with pytest.raises((BadRequest, Forbidden)):
            check(changed)


@given(st.sampled_from([IMAGE, "cat.jpg", "a b.jpg"]), st.integers(0))
def test_a_key_with_any_one_character_less_is_refused(source, position):
    key = signed_key(source)
    position %= len(key)
    with pytest.raises((BadRequest, Forbidden)):
        check(key[:position] + key[position + 1 :])


@given(st.text())
def test_no_text_is_a_signature(text):
    assert refused(text) == "The signature of this key is not valid."


@pytest.mark.parametrize("kid", ["1", "3", "", "22", "²"])
def test_a_wrong_and_an_unknown_key_id_are_refused_alike(kid):
    mac = sign(RING, ACCOUNT, TEXT).removeprefix("2.")
    assert refused(f"{kid}.{mac}") == "The signature of this key is not valid."


def test_the_signature_of_another_account_is_refused():
    other = ACCOUNT[:-1] + "4"
    assert refused(sign(RING, other, TEXT)) == refused(sign(RING, ACCOUNT, TEXT), account=other)


def test_a_signature_is_not_taken_to_another_text():
    assert refused(sign(RING, ACCOUNT, TEXT), TEXT.replace("w800", "w801"))


@pytest.mark.parametrize(("now", "over"), [(1_767_225_599.9, False), (1_767_225_600, True), (1_767_225_600.1, True)])
def test_a_url_ends_at_its_second(now, over):
    assert expired(Operations(expires=1_767_225_600), now) is over


def test_a_url_without_an_end_does_not_expire():
    assert not expired(Operations(), 1e12)


def test_the_ring_is_read_from_the_stored_secret():
    assert KeyRing.read('{"current":"1","1":"a","2":"b"}') == KeyRing("1", {"1": "a", "2": "b"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"1":"a"}',
        '{"current":"2","1":"a"}',
        '{"current":"current"}',
        '{"current":"1","1":""}',
        '{"current":"1","1":1}',
        '{"current":"1","1":"a","TWO":"b"}',
        '{"current":"1","1":"a","12345":"b"}',
    ],
)
def test_a_stored_secret_that_cannot_sign_is_refused(text):
    with pytest.raises(ValueError, match=r"signing secret|JSON|Expected|truncated"):
        KeyRing.read(text)


def test_a_ring_does_not_print_its_secrets():
    assert repr(RING) == "KeyRing(current=2, kids=['1', '2'])"


def test_rotation_keeps_the_previous_key_and_drops_those_before():
    once = rotate('{"current":"1","1":"first"}', "second")
    assert json.loads(once) == {"current": "2", "1": "first", "2": "second"}
    assert json.loads(rotate(once, "third")) == {"current": "3", "2": "second", "3": "third"}


def test_what_was_signed_before_a_rotation_is_valid_until_the_next():
    stored = '{"current":"1","1":"first"}'
    signature = sign(KeyRing.read(stored), ACCOUNT, TEXT)
    stored = rotate(stored, "second")
    assert verify(KeyRing.read(stored), ACCOUNT, signature, TEXT) is None
    with pytest.raises(Forbidden):
        verify(KeyRing.read(rotate(stored, "third")), ACCOUNT, signature, TEXT)


@pytest.mark.parametrize(("current", "following"), [("9999", "0"), ("0", "1"), ("old", "1"), ("09", "10")])
def test_the_next_key_id_is_one_that_a_key_can_hold(current, following):
    rotated = KeyRing.read(rotate(json.dumps({"current": current, current: "a"}), "b"))
    assert (rotated.current, set(rotated.secrets)) == (following, {current, following})


def test_an_empty_secret_is_never_rotated_in():
    with pytest.raises(ValueError, match="empty"):
        rotate('{"current":"1","1":"first"}', "")
