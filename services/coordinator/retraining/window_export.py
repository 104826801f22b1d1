"""A window's feedback as the lines of `items.jsonl` that data preparation reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from archon_contracts.events import AnnotationSubmitted, FeedbackReceived
from services.coordinator.feedback.records import ANNOTATION

ITEMS_FILE: Final = "items.jsonl"


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """A feedback event as stored: the body as it was received."""

    event_id: UUID
    source: str
    received_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The content of an `items.jsonl` and how many items it holds."""

    content: bytes
    items: int


def feedback_lines(feedback: Iterable[StoredFeedback]) -> JsonLines:
    """A line per piece of feedback; `target` is the correction, if one was provided."""
    return _lines([_feedback_item(stored) for stored in feedback if stored.source != ANNOTATION])


def annotation_lines(feedback: Iterable[StoredFeedback]) -> JsonLines:
    """A line per annotated item with the labels of all its annotators."""
    items: dict[str, dict[str, Any]] = {}
    for stored in feedback:
        if stored.source != ANNOTATION:
            continue
        body = AnnotationSubmitted.model_validate_json(stored.body)
        item = items.setdefault(
            body.item_id,
            {
                "id": body.item_id,
                "input": body.input,
                "source": "human",
                "occurred_at": stored.received_at,
                "annotations": [],
            },
        )
        item["annotations"].append(
            {
                "annotator_id": body.annotator_id,
                "label": body.label,
                "confidence": body.confidence,
            }
        )
    return _lines(list(items.values()))


def count_lines(content: bytes) -> int:
    """JsonLines of a JSON-lines file that are not blank."""
    return sum(1 for line in content.splitlines() if line.strip())


def _feedback_item(stored: StoredFeedback) -> dict[str, Any]:
    body = FeedbackReceived.model_validate_json(stored.body)
    return {
        "id": str(stored.event_id),
        "input": body.input,
        "target": body.expected,
        "actual": body.actual,
        "rating": body.rating,
        "reward": body.reward,
        "source": "feedback",
        "given_by": body.source,
        "model_version": body.model_version,
        "unit_id": body.unit_id,
        "occurred_at": body.occurred_at or stored.received_at,
    }


def _lines(items: Sequence[dict[str, Any]]) -> JsonLines:
    content = b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items)
    return JsonLines(content, len(items))
