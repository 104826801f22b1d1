"""A window's feedback as the lines of `items.jsonl` that data preparation reads.

The bodies met their contract when they were stored, so they are decoded here and not validated a
second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.formats import Annotation, TrainingItem, canonical_text, to_jsonl
from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The content of an `items.jsonl` and how many items it holds."""

    content: bytes
    items: int


def feedback_lines(feedback: Iterable[StoredFeedback]) -> JsonLines:
    """A line per feedback event; `target` is the correction, if one was provided."""
    items = (_feedback_item(stored) for stored in feedback if stored.source != ANNOTATION)
    return _lines([item for item in items if item is not None])


def annotation_lines(feedback: Iterable[StoredFeedback]) -> JsonLines:
    """A line per annotated item with the labels of all its annotators."""
    annotated: defaultdict[str, list[tuple[datetime, dict[str, Any]]]] = defaultdict(list)
    for stored in feedback:
        if stored.source == ANNOTATION:
            body = orjson.loads(stored.body)
            if canonical_text(body["input"]) and canonical_text(body["label"]):
                annotated[body["item_id"]].append((stored.received_at, body))
    return _lines([_annotated_item(labels) for labels in annotated.values()])


def _feedback_item(stored: StoredFeedback) -> TrainingItem | None:
    body = orjson.loads(stored.body)
    if not canonical_text(body["input"]):
        return None  # an empty object, list or text: nothing to learn an answer for
    return TrainingItem(
        id=str(stored.event_id),
        input=body["input"],
        target=body.get("expected"),
        actual=body.get("actual"),
        rating=stored.rating,
        reward=body.get("reward"),
        source=SourceKind.FEEDBACK,
        feedback_source=stored.source,
        model_version=body.get("model_version") or "",
        unit=body.get("unit_id") or "",
        submitted_by=stored.submitted_by,
        occurred_at=body.get("occurred_at") or stored.received_at,
    )


def _annotated_item(labels: Sequence[tuple[datetime, dict[str, Any]]]) -> TrainingItem:
    """The item as its first annotator sent it, with everybody's labels."""
    received_at, first = labels[0]
    return TrainingItem(
        id=first["item_id"],
        input=first["input"],
        source=SourceKind.HUMAN,
        occurred_at=received_at,
        annotations=tuple(
            Annotation(
                annotator_id=body["annotator_id"],
                label=body["label"],
                confidence=body.get("confidence"),
            )
            for _, body in labels
        ),
    )


def _lines(items: Sequence[TrainingItem]) -> JsonLines:
    return JsonLines(to_jsonl(items), len(items))
