"""Answers with what they were rewarded by, for trainings that learn from rewards.

Each interaction stays by itself: how often an answer was given, and with which probability, is
what such a training weighs it by, so that nothing is merged.
"""

from __future__ import annotations

from collections.abc import Iterable

from archon_contracts.commands import SourceKind
from archon_contracts.formats import TrainingItem
from services.data_prep.cleaning.cleaning import compute_trust, derive_item_id
from services.data_prep.domain import Item, Targets
from services.data_prep.text import normalise_input, to_text


def build_rewarded(records: Iterable[TrainingItem], targets: Targets) -> list[Item]:
    """The records that say how good an answer of the agent was, whatever they say of it."""
    return [
        _to_item(record)
        for record in records
        if normalise_input(to_text(record.input))
        and targets.accepts(to_text(record.actual))
        and _is_rewarded(record)
    ]


def _is_rewarded(record: TrainingItem) -> bool:
    stated = (record.rating, record.reward)
    return any(value is not None for value in stated) or bool(record.target or record.signals)


def _to_item(record: TrainingItem) -> Item:
    text, actual = to_text(record.input), to_text(record.actual)
    is_feedback = record.source == SourceKind.FEEDBACK
    values = dict(record) | {
        "id": record.id or derive_item_id(normalise_input(text), actual),
        "input": text,
        "actual": actual,
        "target": to_text(record.target),
        "trust": compute_trust(record),
        "key": normalise_input(text),
        "feedback_ids": (record.id,) if is_feedback and record.id else (),
    }
    return Item(**values)
