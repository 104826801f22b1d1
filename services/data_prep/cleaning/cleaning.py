"""Records become items: a right answer for each input, each input once."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from archon_contracts.commands import SourceKind
from archon_contracts.formats import TrainingItem
from services.data_prep.cleaning.annotation import last_labels, majority_label
from services.data_prep.domain import (
    TRUST_BY_FEEDBACK_SOURCE,
    TRUST_BY_KIND,
    Item,
    PreparationCounters,
    Targets,
    merge_items,
)
from services.data_prep.text import normalise_input, to_text

POSITIVE_RATING = 4.0
POSITIVE_FEEDBACK_WEIGHT = 0.5
"""An answer that somebody liked is weaker evidence than one that somebody wrote."""

UNCORRECTED = "disliked without a correction"
NO_TARGET = "no target"
UNKNOWN_TARGET = "target is no answer of the agent"
TIED_LABELS = "annotators disagree"
NO_INPUT = "no input"


def build_items(
    records: Iterable[TrainingItem], targets: Targets, counters: PreparationCounters
) -> list[Item]:
    """An item for each record that can be learnt from; the others are counted in `counters`."""
    items: list[Item] = []
    for record in records:
        item = to_item(record, targets)
        if isinstance(item, str):
            counters.unusable[item] += 1
        else:
            items.append(item)
    return items


def deduplicate(items: Iterable[Item], counters: PreparationCounters) -> list[Item]:
    """Each input once; what is left out is counted in `counters`.

    Of two items with one input and different targets the more trusted, then the newer one stays.
    """
    kept: dict[str, Item] = {}
    for item in items:
        known = kept.get(item.key)
        if known is None:
            kept[item.key] = item
        elif known.target == item.target:
            counters.duplicates += 1
            kept[item.key] = merge_items(known, item)
        else:
            counters.conflicting += 1
            kept[item.key] = item if item.outranks(known) else known
    return list(kept.values())


def to_item(record: TrainingItem, targets: Targets) -> Item | str:
    """The item that a record speaks of, or why it is of no use."""
    text = to_text(record.input)
    key = normalise_input(text)
    if not key:
        return NO_INPUT
    answer = _choose_target(record)
    if isinstance(answer, str):
        return answer
    target, certainty = answer
    if not targets.accepts(target):
        return UNKNOWN_TARGET if target else NO_TARGET
    actual = to_text(record.actual)
    wrong = [to_text(value) for value in record.rejected] + [actual]
    rejected = dict.fromkeys(v for v in wrong if v != target and targets.accepts(v))
    is_feedback = record.source == SourceKind.FEEDBACK
    values = dict(record)
    values |= {
        "id": record.id or _derived_id(key, target),
        "input": text,
        "target": target,
        "actual": actual,
        "rejected": tuple(rejected),
        "weight": record.weight * certainty,
        "trust": _compute_trust(record) * certainty,
        "key": key,
        "annotators": _agreeing_annotators(record, target),
        "was_answered_wrong": actual != target if actual else None,
        "feedback_ids": (record.id,) if is_feedback and record.id else (),
    }
    return Item(**values)


def _choose_target(record: TrainingItem) -> tuple[str, float] | str:
    """The right answer and how certain it is, or why there is none."""
    target = to_text(record.target)
    if target:
        return target, 1.0
    if record.annotations:
        labels = last_labels(record.annotations)
        agreed = majority_label([to_text(annotation.label) for annotation in labels])
        return (agreed, 1.0) if agreed else TIED_LABELS
    if record.rating is None and record.reward is None:
        return NO_TARGET
    if (record.rating or 0.0) >= POSITIVE_RATING or (record.reward or 0.0) > 0:
        return to_text(record.actual), POSITIVE_FEEDBACK_WEIGHT
    return UNCORRECTED


def _agreeing_annotators(record: TrainingItem, target: str) -> tuple[str, ...]:
    agreeing = (a for a in last_labels(record.annotations) if to_text(a.label) == target)
    return tuple(sorted({a.annotator_id for a in agreeing if a.annotator_id}))


def _compute_trust(record: TrainingItem) -> float:
    by_kind = TRUST_BY_KIND[SourceKind(record.source)]
    return by_kind * TRUST_BY_FEEDBACK_SOURCE.get(record.feedback_source, 1.0) * record.trust


def _derived_id(key: str, target: str) -> str:
    # Twelve bytes: two equal ids are not to be expected below some 2^48 items.
    return blake2b(f"{key}\x1f{target}".encode(), digest_size=12).hexdigest()
