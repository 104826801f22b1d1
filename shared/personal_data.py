"""Personal data in text, found by its pattern and checksum.

Names and addresses have no pattern; they are not found here.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Detection:
    """One piece of personal data: its kind and where it stands."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Detector:
    """A pattern, and a check that sorts out what only looks like it."""

    kind: str
    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool] = lambda _text: True


def detect_personal_data(text: str) -> list[Detection]:
    """What stands in the text, left to right; no two detections overlap.

    In time linear in the text's length: a search holds the interpreter's lock until it ends.
    """
    plain = _to_plain(text)
    if not _MAY_HOLD.search(plain):
        return []
    found: list[Detection] = []
    # One byte per character: comparing every pair of detections would take quadratic time.
    is_taken = bytearray(len(text))
    for detector in DETECTORS:
        for match in detector.pattern.finditer(plain):
            start, end = match.span()
            if detector.is_valid(match.group()) and not any(is_taken[start:end]):
                is_taken[start:end] = b"\x01" * (end - start)
                found.append(Detection(detector.kind, start, end))
    return sorted(found, key=lambda detection: detection.start)


_MAY_HOLD: Final = re.compile(r"(?i:[0-9@]|://|www\.)")
"""One of these is in everything that is looked for; most texts have none."""


def _to_plain(text: str) -> str:
    """The text, sign for sign, with plain digits, spaces and hyphens: patterns know only these."""
    return text if text.isascii() else "".join(map(_plain_sign, text))


def _plain_sign(sign: str) -> str:
    if sign.isascii():
        return sign
    digit = unicodedata.digit(sign, None)
    if digit is not None and sign.isdecimal():
        return str(digit)
    category = unicodedata.category(sign)
    return {"Zs": " ", "Pd": "-"}.get(category, sign)


def is_luhn_valid(text: str) -> bool:
    """Whether the digits' checksum is that of a card number (ISO/IEC 7812-1, annex B)."""
    digits = [int(each) for each in reversed(text) if each.isdigit()]
    doubled = (divmod(2 * digit, 10) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(tens + ones for tens, ones in doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the check digits are those of an account number (ISO 13616, modulus 97)."""
    plain = re.sub(r"\s", "", text).upper()
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def _is_telephone(text: str) -> bool:
    groups = re.findall(r"[0-9]+", text.split("x")[0])
    digits = "".join(groups)
    if not 7 <= len(digits) <= 15 or _is_date(groups) or _is_amount(text, groups):
        return False
    # One unbroken number of less than ten digits is more often an order than a telephone.
    return len(groups) > 1 or len(digits) >= 10


def _is_date(groups: list[str]) -> bool:
    """Whether the groups are a day, a month and a year, in any order of day and month."""
    lengths = [len(each) for each in groups]
    if len(groups) != 3 or max(lengths[:2]) > 2 or lengths[2] != 4:
        return False
    first, second, year = map(int, groups)
    return 1 <= min(first, second) <= 12 and max(first, second) <= 31 and 1900 <= year <= 2100


def _is_amount(text: str, groups: list[str]) -> bool:
    """Whether it is one number in groups of three, or two with decimals as coordinates have."""
    if text[0] in "+(0":
        return False
    thousands = len(groups[0]) <= 3 and all(len(each) == 3 for each in groups[1:])
    return (len(groups) > 2 and thousands) or re.fullmatch(
        r"[0-9]{1,3}\.[0-9]{4,} ?[0-9]{0,3}(?:\.[0-9]{4,})?", text.strip()
    ) is not None


def _is_ipv4(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


def _is_ipv6(text: str) -> bool:
    try:
        # With a digit: A::B is a name in many a program.
        return any(map(str.isdigit, text)) and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


DETECTORS: Final = (
    Detector(
        # First: an address of a page may hold what looks like another kind.
        "URL",
        re.compile(r"(?i:\b(?:https?|ftp)://|(?<![\w.@/])www\.)[^\s<>\"'`{}|\\^]*[\w/=&%#~-]"),
    ),
    Detector(
        "EMAIL",
        # It begins at the start of its local part: else each letter of a long word starts a search
        # of its own, in time that grows with the square of the length.
        re.compile(r"(?<![\w.%+'-])[\w.%+'-]+@[^\W_][\w-]*(?:\.[\w-]+)*\.[^\W\d_]{2,}"),
    ),
    Detector(
        "IBAN",
        re.compile(
            r"\b[A-Za-z]{2}[0-9]{2}"
            r"(?:[A-Za-z0-9]{11,30}|(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?)\b"
        ),
        is_iban,
    ),
    Detector(
        "CARD", re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){11,18}(?![0-9])"), is_luhn_valid
    ),
    Detector("SSN", re.compile(r"(?<![0-9-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9-])")),
    Detector(
        "IP",
        re.compile(
            r"(?<!version )(?<!Version )(?<!release )(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
            r"(?![0-9]|\.[0-9])"
        ),
        _is_ipv4,
    ),
    Detector(
        "IP",
        # Nine groups at most, so that a long run of colons is no work; the check decides.
        re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?![\w:])"),
        _is_ipv6,
    ),
    Detector(
        "PHONE",
        re.compile(
            r"(?<![0-9A-Za-z.,-])(?![0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9]))"
            r"\+?(?:\([0-9]{1,4}\) ?|[0-9]{1,5}[ ./-]{0,3})(?:\([0-9]{1,4}\) ?)?"
            r"(?:[0-9]{2,8}[ ./-]?){1,5}(?<=[0-9])(?:x[0-9]{1,5})?(?![0-9A-Za-z])"
        ),
        _is_telephone,
    ),
)
"""In order: what an earlier one found, a later one does not see."""
