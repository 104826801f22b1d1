"""Personal data found in the public presidio set, by kind: recall and precision of spans.

A span is found when a detection of its kind overlaps it. Every second row is reported; the patterns
were looked at with the others.
"""

import json
from collections import Counter
from typing import Final

from shared.personal_data import detect_personal_data
from tests.benchmarks.harness import Figure
from tests.support.data.real_data import RealData

DATA_FILE: Final = "presidio_pii/synth_v2.jsonl"
ROWS: int | None = None
TINY = {"ROWS": 200}
KINDS: Final = {
    "EMAIL_ADDRESS": "EMAIL",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "US_SSN": "SSN",
    "DOMAIN_NAME": "URL",
    "PHONE_NUMBER": "PHONE",
}
STRUCTURED: Final = ("EMAIL", "CARD", "IBAN", "IP", "SSN", "URL")
Span = tuple[str, int, int]


def run() -> list[Figure]:
    """Recall and precision over the structured kinds together, and of each kind."""
    with (RealData().test_data / DATA_FILE).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][0:ROWS:2]
    spans: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    detections: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row in rows:
        known = [
            (KINDS.get(s["entity_type"], ""), s["start_position"], s["end_position"])
            for s in row["spans"]
        ]
        found = [(d.kind, d.start, d.end) for d in detect_personal_data(row["full_text"])]
        _count(known, found, spans, missed)
        _count(found, known, detections, wrong)
    figures = [
        _figure("structured kinds, recall", _part(spans, missed, *STRUCTURED), 0.97),
        _figure("structured kinds, precision", _part(detections, wrong, *STRUCTURED), 0.95),
        _figure("PHONE, recall", _part(spans, missed, "PHONE"), 0.85),
        _figure("PHONE, precision", _part(detections, wrong, "PHONE")),
    ]
    for kind in STRUCTURED:
        figures.append(_figure(f"{kind}, recall", _part(spans, missed, kind)))
        figures.append(_figure(f"{kind}, precision", _part(detections, wrong, kind)))
    return figures


def _count(these: list[Span], others: list[Span], total: Counter[str], alone: Counter[str]) -> None:
    """Count spans by kind, and those that no span of the other side with their kind overlaps."""
    for kind, start, end in these:
        total[kind] += 1
        alone[kind] += not any(
            kind == other and start < last and first < end for other, first, last in others
        )


def _part(total: Counter[str], alone: Counter[str], *kinds: str) -> float:
    count = sum(total[kind] for kind in kinds)
    return 1 - sum(alone[kind] for kind in kinds) / max(1, count)


def _figure(name: str, figure: float, reach: float | None = None) -> Figure:
    return Figure(name=name, figure=figure, unit="proportion", reach=reach)
