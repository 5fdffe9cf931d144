"""Bring identifiers into one form, so that the same phone number is the same identifier however it was typed."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from ledger.api.v1.errors_pb2 import IDENTIFIER_INVALID
from ledger.errors import LedgerError

PHONE_TYPES = frozenset({"phone", "mobile", "sms", "fax"})
"""Identifier types whose values are phone numbers. All become one type, `phone`: the number is what is known."""


@lru_cache(maxsize=65_536)
def normalise(type_: str, value: str, region: str) -> tuple[str, str]:
    """Return type and value in their one form: E.164 for phones, lower case for e-mail, otherwise NFKC without outer spaces.

    `region` reads phone numbers written without a country prefix. Raises LedgerError (IDENTIFIER_INVALID); its text does not
    hold the value.
    """
    if type_ in PHONE_TYPES:
        return "phone", _phone(value, region)
    if type_ == "email":
        return type_, _email(value)
    text = " ".join(unicodedata.normalize("NFKC", value).split())
    if not text:
        raise LedgerError(
            IDENTIFIER_INVALID, f"The {type_} identifier is blank: give its value, or leave the identifier out.", type=type_
        )
    return type_, text


def _phone(value: str, region: str) -> str:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise LedgerError(
            IDENTIFIER_INVALID,
            f"The phone number cannot exist (read in region {region}): correct it, write its country prefix, or use another type.",
            type="phone",
            region=region,
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(value: str) -> str:
    try:
        return validate_email(value.strip(), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        raise LedgerError(
            IDENTIFIER_INVALID, "The e-mail address cannot exist: correct it, or use another type.", type="email"
        ) from None
