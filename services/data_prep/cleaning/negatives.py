"""Answers known to be wrong where nobody said the right one.

Three kinds of evidence, the strongest first: a bad rating or reward; what the user did after the
answer (asked again, undid or edited it), within the time that the agent's policy allows; an answer
that was shown and not used. The last two have the policy's `implicit_weight`, as behaviour has
other reasons too. Implicit feedback is read as relative evidence against what was passed over after
T. Joachims et al., "Accurately Interpreting Clickthrough Data as Implicit Feedback", SIGIR 2005.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from archon_contracts.commands import SourceKind
from archon_contracts.formats import TrainingItem
from archon_contracts.values import TrustPolicy
from services.data_prep.cleaning.cleaning import (
    BEHAVIOUR,
    NO_TARGET,
    POSITIVE_FEEDBACK_WEIGHT,
    UNCORRECTED,
    compute_trust,
    derive_item_id,
    to_item,
)
from services.data_prep.domain import Item, PreparationCounters, Targets
from services.data_prep.text import normalise_input, to_text

NEGATIVE_RATING: Final = 2.0


class Denial(NamedTuple):
    """Answers that are wrong, and the weight of that evidence beside a stated correction.

    No answer: the agent failed to give one.
    """

    rejected: tuple[str, ...]
    weight: float


def build_negatives(
    records: Iterable[TrainingItem],
    targets: Targets,
    trust: TrustPolicy,
    counters: PreparationCounters,
) -> list[Item]:
    """What is known to be wrong without the right answer. They count as usable from here on.

    An answer that is none of the agent's, and a failure to answer, are kept like the others: they
    exclude nothing today, and an answer that the agent gets tomorrow is known to be wrong then.
    """
    found: list[Item] = []
    for record in records:
        # Most records state an answer: nothing is made of them a second time.
        if record.annotations or to_text(record.target):
            continue
        reason = to_item(record, targets)
        if reason not in (UNCORRECTED, BEHAVIOUR):
            continue
        denial = read_denial(record, targets, trust)
        if denial is None:
            continue
        counters.unusable[str(reason)] -= 1
        found.append(_to_negative(record, denial))
    counters.unusable += type(counters.unusable)()  # without what is zero now
    return found


def read_denial(record: TrainingItem, targets: Targets, trust: TrustPolicy) -> Denial | None:
    """What a record without a right answer says; None: nothing.

    A middling rating says nothing, and neither does a signal after the policy's time.
    """
    actual = to_text(record.actual)
    explicit = is_negative(record)
    signalled = any(each.after_seconds <= trust.implicit_seconds for each in record.signals)
    unused = [text for text in map(to_text, record.shown) if text != actual]
    unused = [text for text in dict.fromkeys(unused) if targets.accepts(text)]
    weight = POSITIVE_FEEDBACK_WEIGHT if explicit else trust.implicit_weight
    if not (explicit or signalled or unused) or weight == 0:
        return None
    denied = [actual] if actual and (explicit or signalled) else []
    return Denial((*denied, *unused), weight)


def is_negative(record: TrainingItem) -> bool:
    """Whether its answer was rated wrong; a middling rating says nothing."""
    disliked = record.rating is not None and record.rating <= NEGATIVE_RATING
    return disliked or (record.reward is not None and record.reward < 0)


def excludes_any(item: Item, targets: Targets) -> bool:
    """Whether something can be learnt of a negative now: it denies an answer of the agent."""
    return any(targets.accepts(answer) for answer in item.rejected)


def merge_negatives(items: Iterable[Item], counters: PreparationCounters) -> list[Item]:
    """Each input once, with all its wrong answers and the weight of the strongest evidence."""
    by_key: dict[str, Item] = {}
    for item in items:
        known = by_key.get(item.key)
        counters.duplicates += known is not None
        by_key[item.key] = item if known is None else _merge(known, item)
    return list(by_key.values())


def _to_negative(record: TrainingItem, denial: Denial) -> Item:
    text, actual = to_text(record.input), to_text(record.actual)
    is_feedback = record.source == SourceKind.FEEDBACK
    values = dict(record)
    values |= {
        "id": record.id or derive_item_id(normalise_input(text), NO_TARGET + actual),
        "input": text,
        "actual": actual,
        "rejected": denial.rejected,
        "weight": record.weight * denial.weight,
        "trust": compute_trust(record) * denial.weight,
        "key": normalise_input(text),
        "was_answered_wrong": True,
        "feedback_ids": (record.id,) if is_feedback and record.id else (),
    }
    return Item(**values)


def _merge(first: Item, second: Item) -> Item:
    # What is kept of it besides says what kind of evidence the weight is of.
    stronger = second if second.weight > first.weight else first
    return stronger.model_copy(
        update={
            "rejected": tuple(dict.fromkeys((*first.rejected, *second.rejected))),
            "feedback_ids": tuple(dict.fromkeys((*first.feedback_ids, *second.feedback_ids))),
        }
    )
