"""A window's feedback as the lines of `items.jsonl` that data preparation reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback

ITEMS_FILE: Final = "items.jsonl"


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
        body = orjson.loads(stored.body)
        item = items.setdefault(body["item_id"], _annotated_item(stored, body))
        item["annotations"].append(
            {name: body.get(name) for name in ("annotator_id", "label", "confidence")}
        )
    return _lines(list(items.values()))


def count_lines(content: bytes) -> int:
    """The lines of a JSON-lines file that are not blank."""
    return sum(1 for line in content.splitlines() if line.strip())


def _annotated_item(stored: StoredFeedback, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": body["item_id"],
        "input": body["input"],
        "source": "human",
        "occurred_at": stored.received_at,
        "annotations": [],
    }


def _feedback_item(stored: StoredFeedback) -> dict[str, Any]:
    # The body met its contract when it was stored, so it is only decoded here.
    body = orjson.loads(stored.body)
    return {
        "id": str(stored.event_id),
        "input": body["input"],
        "target": body.get("expected"),
        "actual": body.get("actual"),
        "rating": stored.rating,
        "reward": body.get("reward"),
        "source": "feedback",
        "given_by": stored.source,
        "model_version": body.get("model_version"),
        "unit_id": body.get("unit_id"),
        "occurred_at": body.get("occurred_at") or stored.received_at,
    }


def _lines(items: Sequence[dict[str, Any]]) -> JsonLines:
    content = b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items)
    return JsonLines(content, len(items))
