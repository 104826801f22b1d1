"""Records become items: a right answer for each input, each input once."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from archon_contracts.commands import SourceKind
from services.data_prep.cleaning.annotation import majority
from services.data_prep.domain import GIVER_TRUST, KIND_TRUST, Item, Tally, Targets, united
from services.data_prep.sources.records import Record
from services.data_prep.text import as_text, input_key

LIKED_RATING = 4.0
CONFIRMED_WEIGHT = 0.5
"""An answer that somebody liked is weaker evidence than one that somebody wrote."""

UNCORRECTED = "disliked without a correction"
NO_TARGET = "no target"
UNKNOWN_TARGET = "target is no answer of the agent"
TIED_LABELS = "annotators disagree"
NO_INPUT = "no input"
NO_WEIGHT = "weight is not above 0"
LARGEST_WEIGHT = 100.0


def usable(records: Iterable[Record], targets: Targets, tally: Tally) -> list[Item]:
    """An item for each record that can be learnt from; the others are counted in `tally`."""
    items: list[Item] = []
    for record in records:
        item = item_of(record, targets)
        if isinstance(item, str):
            tally.unusable[item] += 1
        else:
            items.append(item)
    return items


def once_each(items: Iterable[Item], tally: Tally) -> list[Item]:
    """Each input once; what is left out is counted in `tally`.

    Of two items with one input and different targets the more trusted, then the newer one stays.
    """
    winners: dict[str, Item] = {}
    for item in items:
        known = winners.get(item.key)
        if known is None:
            winners[item.key] = item
        elif known.target == item.target:
            tally.duplicates += 1
            winners[item.key] = united(known, item)
        else:
            tally.conflicting += 1
            winners[item.key] = item if item.outranks(known) else known
    return list(winners.values())


def item_of(record: Record, targets: Targets) -> Item | str:
    """The item that a record speaks of, or why it is of no use."""
    text = as_text(record.input)
    key = input_key(text)
    if not key:
        return NO_INPUT
    if record.weight is not None and record.weight <= 0:
        return NO_WEIGHT
    answer = _answer(record)
    if isinstance(answer, str):
        return answer
    target, certainty = answer
    if not targets.accepts(target):
        return UNKNOWN_TARGET if target else NO_TARGET
    actual = as_text(record.actual)
    wrong = [as_text(value) for value in record.rejected] + [actual]
    rejected = dict.fromkeys(v for v in wrong if v != target and targets.accepts(v))
    is_feedback = record.kind is SourceKind.FEEDBACK
    return Item(
        id=record.id or _derived_id(key, target),
        input=text,
        key=key,
        target=target,
        source=str(record.kind),
        rejected=tuple(rejected),
        weight=certainty if record.weight is None else min(record.weight, LARGEST_WEIGHT),
        group=record.group,
        unit=record.unit,
        given_by=record.given_by,
        annotators=_annotators(record, target),
        trust=_trust(record) * certainty,
        occurred_at=record.occurred_at,
        answered_wrong=actual != target if actual else None,
        origins=(record.id,) if is_feedback and record.id else (),
    )


def _answer(record: Record) -> tuple[str, float] | str:
    """The right answer and how certain it is, or why there is none."""
    target = as_text(record.target)
    if target:
        return target, 1.0
    if record.labels:
        agreed = majority([as_text(label) for label in record.labels])
        return (agreed, 1.0) if agreed else TIED_LABELS
    if record.rating is None and record.reward is None:
        return NO_TARGET
    if (record.rating or 0.0) >= LIKED_RATING or (record.reward or 0.0) > 0:
        return as_text(record.actual), CONFIRMED_WEIGHT
    return UNCORRECTED


def _annotators(record: Record, target: str) -> tuple[str, ...]:
    given = zip(record.annotators, record.labels, strict=False)
    return tuple(sorted({name for name, label in given if name and as_text(label) == target}))


def _trust(record: Record) -> float:
    given = 1.0 if record.trust is None else record.trust
    return KIND_TRUST[record.kind] * GIVER_TRUST.get(record.given_by, 1.0) * given


def _derived_id(key: str, target: str) -> str:
    return blake2b(f"{key}\x1f{target}".encode(), digest_size=12).hexdigest()
