"""Lines of a source as records; a line that cannot be read is counted with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import JsonValue

from archon_contracts.commands import SourceKind

MAXIMUM_LINE_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One line of a source, its fields checked for type and nothing else."""

    kind: SourceKind
    id: str
    input: JsonValue
    target: JsonValue = None
    actual: JsonValue = None
    rejected: tuple[JsonValue, ...] = ()
    rating: float | None = None
    reward: float | None = None
    weight: float | None = None
    trust: float | None = None
    given_by: str = ""
    unit: str = ""
    group: str = ""
    occurred_at: float = 0.0
    labels: tuple[JsonValue, ...] = ()
    annotators: tuple[str, ...] = ()  # whose each label is, empty where nobody is named


@dataclass(slots=True)
class ParsedSource:
    """All records of one source; `received` counts every line that is not blank."""

    kind: SourceKind
    records: list[SourceRecord] = field(default_factory=list)
    received: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)


def read_source(lines: Iterable[bytes], kind: SourceKind) -> ParsedSource:
    """Every line as a record, or counted by why it is none."""
    reading = ParsedSource(kind)
    for line in lines:
        if not line.strip():
            continue
        reading.received += 1
        record = _parse_record(line, kind)
        if isinstance(record, str):
            reading.unreadable[record] += 1
        else:
            reading.records.append(record)
    return reading


def read_objects(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects among the lines; other lines are passed over."""
    for line in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            yield value


def _parse_record(line: bytes, kind: SourceKind) -> SourceRecord | str:
    if len(line) > MAXIMUM_LINE_BYTES:
        return "line too long"
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "not JSON"
    if not isinstance(fields, dict):
        return "not an object"
    if fields.get("input") in (None, "", [], {}):
        return "no input"
    rejected = fields.get("rejected")
    labels = _parse_annotations(fields.get("annotations"))
    return SourceRecord(
        kind=kind,
        id=_to_text(fields.get("id")),
        input=fields["input"],
        target=fields.get("target"),
        actual=fields.get("actual"),
        rejected=tuple(rejected) if isinstance(rejected, list) else (),
        rating=_to_number(fields.get("rating")),
        reward=_to_number(fields.get("reward")),
        weight=_to_number(fields.get("weight")),
        trust=_to_number(fields.get("trust")),
        given_by=_to_text(fields.get("given_by")),
        unit=_to_text(fields.get("unit_id")),
        group=_to_text(fields.get("group")),
        occurred_at=_parse_timestamp(fields.get("occurred_at")),
        labels=tuple(label for _, label in labels),
        annotators=tuple(annotator for annotator, _ in labels),
    )


def _to_text(value: JsonValue) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _to_number(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _parse_timestamp(value: JsonValue) -> float:
    """Seconds since 1970; 0 when the line does not say when."""
    if not isinstance(value, str):
        return 0.0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parse_annotations(value: JsonValue) -> list[tuple[str, JsonValue]]:
    """Annotators and labels of `annotations`, a list of {"annotator_id", "label"}.

    Of an annotator the last one counts: a voice is a person, however often it is heard.
    """
    if not isinstance(value, list):
        return []
    found: dict[str | int, tuple[str, JsonValue]] = {}
    for place, entry in enumerate(value):
        if isinstance(entry, Mapping) and entry.get("label") is not None:
            annotator = _to_text(entry.get("annotator_id"))
            found[annotator or place] = annotator, entry["label"]
    return list(found.values())
