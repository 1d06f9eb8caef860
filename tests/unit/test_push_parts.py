import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push.parts import BASIC, EXTENSION, PLAIN, parts

# The table of the standard, 3GPP TS 23.038 section 6.2.1, by Unicode's code points, row after row.
STANDARD = {
    *range(0x20, 0x24), 0xA4, *range(0x25, 0x40), 0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7,
    0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0,
    0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5,
    0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0xC6, 0xE6, 0xDF, 0xC9,
}  # fmt: skip

texts = st.text(st.sampled_from(BASIC + EXTENSION), max_size=700) | st.text(max_size=300)


def slow_count(text: str) -> tuple[str, int, int]:
    """By the bytes themselves: encode, then lay the pairs into parts one by one."""
    if all(ord(c) in STANDARD or c in "\f^{}\\[~]|€" for c in text):
        units = [b"ec" if c in "\f^{}\\[~]|€" else b"c" for c in text]
        kind, single, joined, width = "gsm7", 160, 153, 1
    else:
        units = [c.encode("utf-16-be", "surrogatepass") for c in text]
        kind, single, joined, width = "ucs2", 70, 67, 2
    whole = b"".join(units)
    if len(whole) <= single * width:
        return kind, len(whole) // width, 1 if text else 0
    messages = [b""]
    for unit in units:
        if len(messages[-1] + unit) > joined * width:
            messages.append(b"")
        messages[-1] += unit
    return kind, len(whole) // width, len(messages)


def test_the_alphabet_is_that_of_the_standard():
    assert {ord(character) for character in BASIC} == STANDARD
    assert len(BASIC) == len(STANDARD) == 127


@given(texts)
def test_the_parts_are_those_of_a_slow_count(text):
    counted = parts(text)
    assert (counted.encoding, counted.characters, counted.parts) == slow_count(text)


@pytest.mark.parametrize(
    ("text", "encoding", "characters", "count"),
    [
        ("", "gsm7", 0, 0),
        ("a", "gsm7", 1, 1),
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("€" * 80, "gsm7", 160, 1),
        ("€" * 81, "gsm7", 162, 2),
        ("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3),  # the escape does not fit into the first part's last place
        ("ё" * 70, "ucs2", 70, 1),
        ("ё" * 71, "ucs2", 71, 2),
        ("😀" * 35, "ucs2", 70, 1),
        ("😀" * 66, "ucs2", 132, 2),  # 33 to a part, whose 67th place stays empty
        ("😀" * 67, "ucs2", 134, 3),
    ],
)
def test_the_borders(text, encoding, characters, count):
    counted = parts(text)
    assert (counted.encoding, counted.characters, counted.parts) == (encoding, characters, count)


def test_a_hint_names_the_character_that_costs_and_what_would_not():
    first, second, third, fourth = parts("It’s 5 – façade 😀 ’").hints
    assert (first.character, first.name, first.at, first.instead) == ("’", "RIGHT SINGLE QUOTATION MARK", 2, "'")
    assert (second.character, second.instead) == ("–", "-")
    assert (third.character, third.at, third.instead) == ("ç", 11, "c")
    assert (fourth.name, fourth.instead) == ("GRINNING FACE", None)


def test_the_gsm_alphabet_has_no_hints():
    assert parts(BASIC + EXTENSION).hints == ()


def test_at_most_ten_characters_are_named():
    assert len(parts("абвгдежзиклмн").hints) == 10


@pytest.mark.parametrize("character", PLAIN)
def test_what_stands_in_for_a_typographic_character_is_in_the_alphabet(character):
    assert parts(character).encoding == "ucs2"
    assert parts(PLAIN[character]).encoding == "gsm7"


@given(st.text(max_size=60))
def test_following_every_hint_leaves_only_what_has_no_substitute(text):
    for hint in parts(text).hints:
        assert text[hint.at] == hint.character
        assert parts(hint.character).encoding == "ucs2"
        assert hint.instead is None or parts(hint.instead).encoding == "gsm7"
