"""Personal data in texts, by its form: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

_EMAIL: Final = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b")
_CARD: Final = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")
_US_SOCIAL_SECURITY: Final = re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b")
_PHONE: Final = re.compile(r"(?<![\w.])\+\d{1,3}(?:[ ().-]{0,2}\d{2,4}){2,5}(?!\w)")


def find_personal_data(answer: str, request: str, secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """Kinds of personal data in an answer that the request does not hold, and known secrets.

    Found are e-mail addresses, IBANs and card numbers with right check digits, US social security
    numbers and international phone numbers. Names and addresses have no form to find them by.
    """
    found = [
        kind
        for kind, pattern, holds in _DETECTORS
        if any(holds(hit) and hit not in request for hit in _hits(pattern, answer))
    ]
    if any(secret.casefold() in answer.casefold() for secret in secrets):
        found.append("secret")
    return tuple(found)


def _hits(pattern: re.Pattern[str], text: str) -> list[str]:
    return [hit.group() for hit in pattern.finditer(text)]


def _is_card(text: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, Luhn)."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 13616, modulo 97)."""
    code = text.replace(" ", "")
    moved = code[4:] + code[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _always(_text: str) -> bool:
    return True


_DETECTORS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = (
    ("email", _EMAIL, _always),
    ("iban", _IBAN, _is_iban),
    ("card number", _CARD, _is_card),
    ("social security number", _US_SOCIAL_SECURITY, _always),
    ("phone number", _PHONE, _always),
)
