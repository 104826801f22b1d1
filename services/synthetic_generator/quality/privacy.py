"""Personal data in text, found by its form and replaced by its kind.

Names and addresses have no form; they are not found here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data: its kind and where it stands."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Detector:
    """A form, and a check that sorts out what only looks like it."""

    kind: str
    form: re.Pattern[str]
    holds: Callable[[str], bool] = lambda _text: True


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Text without personal data, and what was replaced."""

    text: str
    found: Counter[str]


def scrub(text: str) -> Scrubbed:
    """Each finding replaced by its kind in angle brackets. Scrubbing twice changes nothing."""
    findings = find(text)
    parts: list[str] = []
    last = 0
    for finding in findings:
        parts += [text[last : finding.start], f"<{finding.kind}>"]
        last = finding.end
    return Scrubbed("".join([*parts, text[last:]]), Counter(f.kind for f in findings))


def find(text: str) -> list[Finding]:
    """What stands in the text, left to right; no two findings overlap."""
    taken: list[Finding] = []
    for detector in DETECTORS:
        for match in detector.form.finditer(text):
            finding = Finding(detector.kind, match.start(), match.end())
            if detector.holds(match.group()) and not _overlaps(finding, taken):
                taken.append(finding)
    return sorted(taken, key=lambda finding: finding.start)


def luhn(text: str) -> bool:
    """Whether the digits' checksum is that of a card number (ISO/IEC 7812-1, annex B)."""
    digits = [int(sign) for sign in reversed(text) if sign.isdigit()]
    doubled = (divmod(2 * digit, 10) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(tens + ones for tens, ones in doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits are those of an account number (ISO 13616, modulus 97)."""
    plain = re.sub(r"\s", "", text).upper()
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def _telephone(text: str) -> bool:
    groups = re.findall(r"[0-9]+", text.split("x")[0])
    digits = "".join(groups)
    if not 7 <= len(digits) <= 15:
        return False
    # One unbroken number of less than ten digits is more often an order than a telephone.
    return len(groups) > 1 or len(digits) >= 10


def _address_v4(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


def _overlaps(finding: Finding, others: Iterable[Finding]) -> bool:
    return any(finding.start < other.end and other.start < finding.end for other in others)


DETECTORS = (
    Detector(
        "EMAIL", re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
    ),
    Detector(
        "IBAN",
        re.compile(
            r"\b[A-Za-z]{2}[0-9]{2}"
            r"(?:[A-Za-z0-9]{11,30}|(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?)\b"
        ),
        iban,
    ),
    Detector("CARD", re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){11,18}(?![0-9])"), luhn),
    Detector("SSN", re.compile(r"(?<![0-9-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9-])")),
    Detector(
        "IP", re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9])"), _address_v4
    ),
    Detector(
        "IP",
        re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![0-9A-Fa-f:])"),
    ),
    Detector(
        "PHONE",
        re.compile(
            r"(?<![0-9A-Za-z.,-])(?![0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9]))"
            r"\+?(?:\([0-9]{1,4}\) ?|[0-9]{1,4}[ .-]?)(?:\([0-9]{1,4}\) ?)?"
            r"(?:[0-9]{2,8}[ .-]?){1,5}(?<=[0-9])(?:x[0-9]{1,5})?(?![0-9A-Za-z])"
        ),
        _telephone,
    ),
)
"""In order: what an earlier one found, a later one does not see."""
