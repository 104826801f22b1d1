"""Records become items: a right answer for each input, each input once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from hashlib import blake2b
from typing import Final

from archon_contracts.commands import SourceKind
from archon_contracts.formats import QuarantinedItem, TrainingItem
from services.data_prep.cleaning.annotation import last_labels, majority_label
from services.data_prep.domain import (
    TRUST_BY_FEEDBACK_SOURCE,
    TRUST_BY_KIND,
    Item,
    PreparationCounters,
    QuarantineReason,
    Targets,
    merge_items,
)
from services.data_prep.text import normalise_input, to_text

POSITIVE_RATING = 4.0
POSITIVE_FEEDBACK_WEIGHT = 0.5
"""An answer that somebody liked is weaker evidence than one that somebody wrote."""

UNCORRECTED = "disliked without a correction"
BEHAVIOUR = "signals of behaviour without a statement"
NO_TARGET = "no target"
UNKNOWN_TARGET = "target is no answer of the agent"
TIED_LABELS = "annotators disagree"
NO_INPUT = "no input"

# An explanation is read by a person, and repeated for each item that it is about.
NAMED_TARGETS: Final = 5
NAMED_CHARACTERS: Final = 80


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
    """Each input once; what is left out is counted in `counters`, and contradictions are named.

    Of items with one input and different targets the most trusted decide; see `_choose_between`.
    """
    by_key: dict[str, list[Item]] = {}
    for item in items:
        by_key.setdefault(item.key, []).append(item)
    kept: list[Item] = []
    for group in by_key.values():
        target = _choose_between(group)
        agreeing = [item for item in group if item.target == target]
        if agreeing:
            counters.duplicates += len(agreeing) - 1
            kept.append(reduce(merge_items, agreeing))
        if len(agreeing) < len(group):
            _set_aside(group, target, counters)
    return kept


def _choose_between(group: Sequence[Item]) -> str | None:
    """The target of an input that several items state; None where nothing speaks for one of them.

    Feedback corrects what was said before, so the one received last counts; several raters are
    weighed against each other by trust, before this. The lines of an uploaded file have no such
    order: most of them decide, and where two targets are equally frequent, the later dated one.
    """
    trust = max(item.trust for item in group)
    strongest = [item for item in group if item.trust == trust]
    if any(item.source == SourceKind.FEEDBACK for item in strongest):
        return reduce(lambda one, other: other if other.outranks(one) else one, strongest).target
    counts = Counter(item.target for item in strongest)
    most = max(counts.values())
    leading = [item for item in strongest if counts[item.target] == most]
    targets = {item.target for item in leading}
    if len(targets) > 1:
        newest = max(item.known_at for item in leading)
        targets = {item.target for item in leading if item.known_at == newest}
    return targets.pop() if len(targets) == 1 else None


def _set_aside(group: Sequence[Item], target: str | None, counters: PreparationCounters) -> None:
    """Count and name the items of an input that contradict the chosen target."""
    counts = Counter(item.target for item in group)
    # Sorted, so that equal sources give equal files whatever the order of their lines.
    stated = ", ".join(f"{n} x {name!r}" for name, n in sorted(counts.items())[:NAMED_TARGETS])
    explanation = f"input {group[0].input[:NAMED_CHARACTERS]!r} has several targets: {stated}"
    for item in group:
        if item.target != target:
            counters.conflicting += 1
            counters.set_aside.append(
                QuarantinedItem(
                    id=item.id, reason=QuarantineReason.CONFLICTING, explanation=explanation
                )
            )


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
    # What was shown beside a right answer and not used is wrong too.
    wrong = [to_text(value) for value in (*record.rejected, actual, *record.shown)]
    rejected = dict.fromkeys(v for v in wrong if v != target and targets.accepts(v))
    is_feedback = record.source == SourceKind.FEEDBACK
    values = dict(record)
    values |= {
        "id": record.id or derive_item_id(key, target),
        "input": text,
        "target": target,
        "actual": actual,
        "rejected": tuple(rejected),
        "weight": record.weight * certainty,
        "trust": compute_trust(record) * certainty,
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
        return BEHAVIOUR if record.signals or record.shown else NO_TARGET
    if (record.rating or 0.0) >= POSITIVE_RATING or (record.reward or 0.0) > 0:
        return to_text(record.actual), POSITIVE_FEEDBACK_WEIGHT
    return UNCORRECTED


def _agreeing_annotators(record: TrainingItem, target: str) -> tuple[str, ...]:
    agreeing = (a for a in last_labels(record.annotations) if to_text(a.label) == target)
    return tuple(sorted({a.annotator_id for a in agreeing if a.annotator_id}))


def compute_trust(record: TrainingItem) -> float:
    """How far a record is believed where others contradict it, by its kind and its rater."""
    by_kind = TRUST_BY_KIND[SourceKind(record.source)]
    return by_kind * TRUST_BY_FEEDBACK_SOURCE.get(record.feedback_source, 1.0) * record.trust


def derive_item_id(key: str, target: str) -> str:
    """The id of an item whose line has none: equal items have equal ids."""
    # Twelve bytes: two equal ids are not to be expected below some 2^48 items.
    return blake2b(f"{key}\x1f{target}".encode(), digest_size=12).hexdigest()
