"""Personal data in generated text, replaced by its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from shared.personal_data import detect_personal_data as detect_personal_data


@dataclass(frozen=True, slots=True)
class RedactedText:
    """Text without personal data, and what was replaced."""

    text: str
    found: Counter[str]


def redact(text: str) -> RedactedText:
    """Each detection replaced by its kind in angle brackets. Scrubbing twice changes nothing."""
    detections = detect_personal_data(text)
    parts: list[str] = []
    last = 0
    for detection in detections:
        parts += [text[last : detection.start], f"<{detection.kind}>"]
        last = detection.end
    return RedactedText("".join([*parts, text[last:]]), Counter(f.kind for f in detections))
