"""A window's feedback as the lines of `items.jsonl` that data preparation reads.

The bodies met their contract when they were stored, so they are decoded here and not validated a
second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from pydantic import JsonValue

from archon_contracts.commands import SourceKind
from archon_contracts.formats import Annotation, TrainingItem, to_jsonl
from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback
from services.coordinator.retraining.rated_versions import stamp
from shared.logging import get_logger

EMPTY: Final[tuple[JsonValue, ...]] = ("", [], {})
"""Inputs and labels that there is nothing to learn from."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The content of an `items.jsonl` and how many items it holds."""

    content: bytes
    items: int


def feedback_lines(
    feedback: Iterable[StoredFeedback], *, name_submitters: bool = False
) -> JsonLines:
    """A line per feedback event; `target` is the correction, if one was provided.

    With `name_submitters`, the API key is the unit of feedback that names none.
    """
    kept = [stored for stored in feedback if stored.source != ANNOTATION]
    return _lines(
        (str(stored.event_id), partial(_feedback_item, stored, name_submitters)) for stored in kept
    )


def annotation_lines(feedback: Iterable[StoredFeedback]) -> JsonLines:
    """A line per annotated item with the labels of all its annotators."""
    annotated: defaultdict[str, list[tuple[datetime, dict[str, Any]]]] = defaultdict(list)
    for stored in feedback:
        if stored.source == ANNOTATION:
            body = orjson.loads(stored.body)
            if body["input"] not in EMPTY and body["label"] not in EMPTY:
                annotated[body["item_id"]].append((stored.received_at, body))
    return _lines((item, partial(_annotated_item, labels)) for item, labels in annotated.items())


def _feedback_item(stored: StoredFeedback, name_submitters: bool) -> TrainingItem | None:
    body = orjson.loads(stored.body)
    if body["input"] in EMPTY:
        return None  # an empty object, list or text: nothing to learn an answer for
    version, propensity = stamp(body, stored.interaction)
    item = TrainingItem(
        id=str(stored.event_id),
        input=body["input"],
        target=body.get("expected"),
        actual=body.get("actual"),
        rating=stored.rating,
        reward=body.get("reward"),
        source=SourceKind.FEEDBACK,
        feedback_source=stored.source,
        signals=body.get("signals") or (),
        shown=body.get("shown") or (),
        model_version=version,
        propensity=propensity,
        unit=body.get("unit_id") or (f"key:{stored.submitted_by}" if name_submitters else ""),
        submitted_by=stored.submitted_by,
        occurred_at=body.get("occurred_at"),
        received_at=stored.received_at,
    )
    # A sender's clock may be wrong, or its time a lie: nothing happens after it was received.
    happened_at = min(item.occurred_at or stored.received_at, stored.received_at)
    return item.model_copy(update={"occurred_at": happened_at})


def _annotated_item(labels: Sequence[tuple[datetime, dict[str, Any]]]) -> TrainingItem:
    """The item as its first annotator sent it, with everybody's labels."""
    received_at, first = labels[0]
    return TrainingItem(
        id=first["item_id"],
        input=first["input"],
        source=SourceKind.HUMAN,
        occurred_at=received_at,
        received_at=received_at,
        annotations=tuple(
            Annotation(
                annotator_id=body["annotator_id"],
                label=body["label"],
                confidence=body.get("confidence"),
            )
            for _, body in labels
        ),
    )


def _lines(items: Iterable[tuple[str, Callable[[], TrainingItem | None]]]) -> JsonLines:
    """The lines of all items, with their ids.

    One that cannot be written becomes a line without an input, which data preparation leaves out
    and counts: a window does not fail for one item.
    """
    lines: list[bytes] = []
    for item_id, build in items:
        try:
            item = build()
            if item is not None:
                lines.append(to_jsonl([item]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            log.error("feedback_set_aside", item_id=item_id, error_type=type(error).__name__)
            lines.append(orjson.dumps({"id": item_id, "unusable": type(error).__name__}) + b"\n")
    return JsonLines(b"".join(lines), len(lines))
