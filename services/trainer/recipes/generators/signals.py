"""What feedback says of a generator's answers: which of two is better, or how good one is.

A correction states a pair: the right answer is better than the one that was given. A rating or a
reward speaks of one answer alone. Both kinds may come in one window, so each item goes where its
signal belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.trainer.items import TrainingItem

GOOD_RATING: Final = 4.0
BAD_RATING: Final = 2.0
"""As data preparation reads ratings: three stars say neither."""


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """Of two answers to one input the better one."""

    item: TrainingItem
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """One answer, and whether it was good."""

    item: TrainingItem
    answer: str
    is_good: bool


@dataclass(frozen=True, slots=True)
class Signals:
    """A dataset by signal. `unused` items say neither."""

    pairs: Sequence[AnswerPair] = ()
    rated: Sequence[RatedAnswer] = ()
    unused: int = 0

    @property
    def good_answers(self) -> list[str]:
        """What the model may answer like."""
        return [pair.chosen for pair in self.pairs] + [r.answer for r in self.rated if r.is_good]


@dataclass(slots=True)
class _Found:
    pairs: list[AnswerPair] = field(default_factory=list)
    rated: list[RatedAnswer] = field(default_factory=list)
    unused: int = 0


def split_by_signal(items: Iterable[TrainingItem]) -> Signals:
    """Pairs, rated answers, and the number of items that are neither.

    An item with a right answer and several wrong ones is as many pairs, which share its weight.
    Without a right answer its wrong ones are bad answers. A right answer beside no wrong one is a
    good answer; a rating is of `actual`.
    """
    found = _Found()
    for item in items:
        wrong = [each for each in item.rejected if each and each != item.target]
        if item.target and wrong:
            share = item.model_copy(update={"weight": item.weight / len(wrong)})
            found.pairs += [AnswerPair(share, item.target, each) for each in wrong]
        elif (good := _is_good(item)) is not None and item.actual:
            found.rated.append(RatedAnswer(item, item.actual, good))
        elif item.target:
            found.rated.append(RatedAnswer(item, item.target, is_good=True))
        elif wrong:
            found.rated += [RatedAnswer(item, each, is_good=False) for each in wrong]
        else:
            found.unused += 1
    return Signals(tuple(found.pairs), tuple(found.rated), found.unused)


def _is_good(item: TrainingItem) -> bool | None:
    """None: nothing was said, or something in the middle."""
    if item.rating is not None:
        return True if item.rating >= GOOD_RATING else False if item.rating <= BAD_RATING else None
    if item.reward:
        return item.reward > 0
    return None


def choose_class_weights(rated: Sequence[RatedAnswer]) -> tuple[float, float]:
    """Weights of good and of bad answers: in all, both count the same.

    The rarer kind is raised, so that none counts less than one. Ethayarajh et al. 2024 (KTO),
    section 4.2, let the ratio of both totals lie from 1 to 4/3.
    """
    good = sum(each.item.weight for each in rated if each.is_good)
    bad = sum(each.item.weight for each in rated if not each.is_good)
    if not good or not bad:
        return 1.0, 1.0
    return (bad / good, 1.0) if good < bad else (1.0, good / bad)
