"""Phone numbers that an SMS can reach, in E.164.

Accepted: mobile numbers, those of countries whose mobile and fixed numbers look alike (all of +1), personal numbers,
and internet telephony, much of which takes SMS. Refused, for such a message is paid for and arrives nowhere, or costs
its reader money: landlines, toll-free, shared-cost and premium numbers, pagers, voicemail, company numbers ("UAN"),
short codes, extensions, words spelled on a keypad, and numbers that no country has. Libphonenumber's metadata decides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

LONGEST_TEXT = 50
# What an address book on a phone puts around a number when it is copied: marks of direction, spaces without width.
INVISIBLE = "[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
WRITTEN = r"[+＋]?[\d\s().\-‐-―·/]+"  # the library takes digits of any script, and would skip what it does not know
NOWHERE = "001"  # the library's region of numbers that belong to no country


def e164(text: str, region: str | None = None) -> str:
    """The number as +4917012345678.

    region: ISO 3166 country of a number that is written without its country code, as "DE".
    Raises ValueError, saying what is wrong with the number.
    """
    from phonenumbers import PhoneNumberFormat, format_number

    return format_number(_checked(_parsed(_cleaned(text), region)), PhoneNumberFormat.E164)


def country(number: str) -> str:
    """ISO 3166 country of a number in E.164: "US". Raises ValueError where there is none."""
    return _country(_parsed(number, None))


def _cleaned(text: str) -> str:
    text = re.sub(INVISIBLE, "", text[: LONGEST_TEXT + 1]).strip()
    if not text:
        raise ValueError("A phone number is missing.")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"A phone number has at most {LONGEST_TEXT} characters.")
    if not re.fullmatch(WRITTEN, text):
        raise ValueError("A phone number has digits, spaces, and the signs + - . / ( ) only; no words, no extension.")
    return text


def _parsed(text: str, region: str | None) -> PhoneNumber:
    from phonenumbers import SUPPORTED_REGIONS, NumberParseException, parse

    if region is not None and region not in SUPPORTED_REGIONS:
        raise ValueError(f"There is no country {region[:10]!r}; a country is two capital letters, as DE.")
    try:
        return parse(text, region)
    except NumberParseException as error:
        raise ValueError(_unparsed(error, region)) from None


def _unparsed(error: Exception, region: str | None) -> str:
    from phonenumbers import NumberParseException

    kind = getattr(error, "error_type", None)
    if kind == NumberParseException.INVALID_COUNTRY_CODE and region is None:
        return "The number needs + and a country code, as in +49 170 1234567, and this one has none that exists."
    if kind == NumberParseException.TOO_LONG:
        return "The number has too many digits."
    return "The number has too few digits."


def _checked(number: PhoneNumber) -> PhoneNumber:
    from phonenumbers import is_valid_number, number_type

    if (reason := _length_reason(number)) is not None:
        raise ValueError(reason)
    if not is_valid_number(number):
        raise ValueError(f"No such number exists in {_country_of_code(number)}.")
    if (refused := _refused_types().get(number_type(number))) is not None:
        raise ValueError(f"{refused} takes no SMS.")
    _country(number)
    return number


def _length_reason(number: PhoneNumber) -> str | None:
    from phonenumbers import ValidationResult, is_possible_number_with_reason

    too_few = "The number has too few digits."
    return {
        ValidationResult.INVALID_COUNTRY_CODE: f"There is no country code +{number.country_code}.",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "The number lacks its area code.",
        ValidationResult.TOO_SHORT: too_few,
        ValidationResult.INVALID_LENGTH: f"No number in {_country_of_code(number)} has so many digits.",
        ValidationResult.TOO_LONG: "The number has too many digits.",
    }.get(is_possible_number_with_reason(number))


def _refused_types() -> dict[int, str]:
    from phonenumbers import PhoneNumberType

    return {
        PhoneNumberType.FIXED_LINE: "A landline",
        PhoneNumberType.TOLL_FREE: "A toll-free number",
        PhoneNumberType.PREMIUM_RATE: "A premium-rate number",
        PhoneNumberType.SHARED_COST: "A shared-cost number",
        PhoneNumberType.PAGER: "A pager",
        PhoneNumberType.UAN: "A company number",
        PhoneNumberType.VOICEMAIL: "A voicemail box",
    }


def _country(number: PhoneNumber) -> str:
    from phonenumbers import region_code_for_number

    region = region_code_for_number(number)
    if region is None or region == NOWHERE:
        raise ValueError("The number belongs to no country.")
    return str(region)


def _country_of_code(number: PhoneNumber) -> str:
    """For people: the country that a country code is mostly used by, or the code itself."""
    from phonenumbers import region_code_for_country_code

    region = region_code_for_country_code(number.country_code or 0)
    return f"+{number.country_code}" if region in (NOWHERE, "ZZ") else str(region)
