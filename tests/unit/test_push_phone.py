import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push.phone import country, e164


@pytest.mark.parametrize(
    ("written", "region", "number", "home"),
    [
        ("+49 170 1234567", None, "+491701234567", "DE"),
        ("0170/123 45 67", "DE", "+491701234567", "DE"),
        ("+49 (0)170 1234567", None, "+491701234567", "DE"),
        ("(650) 253-0000", "US", "+16502530000", "US"),
        ("+1 242 359 1234", None, "+12423591234", "BS"),
        ("+7 701 234 5678", None, "+77012345678", "KZ"),
        ("+44 7400 123456", "DE", "+447400123456", "GB"),
        ("\u202a+49\u00a0170\u00a01234567\u202c", None, "+491701234567", "DE"),
        ("＋４９１７０１２３４５６７", None, "+491701234567", "DE"),
        ("+٤٩١٧٠١٢٣٤٥٦٧", None, "+491701234567", "DE"),
    ],
)
def test_a_number_has_one_spelling_and_a_country(written, region, number, home):
    assert e164(written, region) == number
    assert e164(number) == number
    assert country(number) == home


@pytest.mark.parametrize(
    ("written", "region", "why"),
    [
        ("", None, "missing"),
        (" \u202a\u202c ", None, "missing"),
        ("0170 1234567", None, "country code"),
        ("0049 170 1234567", None, "country code"),
        ("+999 170 1234567", None, "country code"),
        ("+4", None, "too few"),
        ("---", "DE", "too few"),
        ("72727", "US", "too few"),
        ("110", "DE", "area code"),
        ("555 0100", "US", "area code"),
        ("+49 170 12345678901234", None, "too many"),
        ("0170 1234567 / 0171 7654321", "DE", "too many"),
        ("+1 200 555 0100", None, "No such number exists in US"),
        ("+49 30 901820", None, "landline"),
        ("+1 900 555 0100", None, "premium"),
        ("+1 800 555 0100", None, "toll-free"),
        ("+49 180 2 123456", None, "shared-cost"),
        ("+883 5100 0123 4567", None, "no country"),
        ("+1 800 FLOWERS", None, "digits"),
        ("+49 170 1234567 ext. 5", None, "digits"),
        ("tel:+491701234567", None, "digits"),
        ("+491701234567\x00", None, "digits"),
        ("+49170+1234567", None, "digits"),
        ("+" + "4" * 100, None, "at most 50"),
        ("+491701234567", "XX", "country 'XX'"),
        ("0170 1234567", "de", "country 'de'"),
    ],
)
def test_what_no_sms_reaches_is_refused_with_the_reason(written, region, why):
    with pytest.raises(ValueError, match=why.replace("+", r"\+")):
        e164(written, region)


@given(
    st.text(max_size=60) | st.from_regex(r"\+?[0-9 ()/.\-]{1,30}", fullmatch=True), st.sampled_from([None, "DE", "US"])
)
def test_any_text_is_a_number_or_a_value_error(written, region):
    try:
        number = e164(written, region)
    except ValueError:
        return
    assert e164(number) == number
    assert len(country(number)) == 2
