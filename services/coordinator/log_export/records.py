"""A stored body as a line of `log.jsonl`: pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import orjson

from archon_contracts.formats import LogRecord, to_jsonl
from services.coordinator.log_export.store import StoredLog
from shared.logging import get_logger

log = get_logger(__name__)
Kind = Literal["interaction", "feedback"]


def to_lines(kind: Kind, stored: Iterable[StoredLog]) -> bytes:
    """The lines; a body that cannot be read is left out with a line of our log."""
    lines = []
    for each in stored:
        try:
            lines.append(to_jsonl([_to_record(kind, each, orjson.loads(each.body))]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            log.error(
                "log_line_left_out",
                event_id=str(each.event_id),
                error_type=type(error).__name__,
            )
    return b"".join(lines)


def _to_record(kind: Kind, stored: StoredLog, body: dict[str, Any]) -> LogRecord:
    return LogRecord(
        kind=kind,
        interaction_id=body["interaction_id"],
        at=stored.received_at,
        request=body["input"],
        answer=body.get("actual"),
        correction=body.get("expected"),
        rating=body.get("rating"),
        reward=body.get("reward"),
        signals=tuple(signal["kind"] for signal in body.get("signals") or ()),
        error=body.get("error") or "",
        latency_seconds=body.get("latency_seconds"),
        input_tokens=body.get("input_tokens"),
        output_tokens=body.get("output_tokens"),
        unit_id=body.get("unit_id") or "",
        model_version=body.get("model_version") or "",
    )
