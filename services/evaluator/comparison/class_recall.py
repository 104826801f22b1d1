"""What accuracy over all items hides: the most frequent class, and each class by itself. Pure.

A model that always gives the most frequent answer is right on 95 % of items of which 95 % have that
answer, and a class of five items can be lost without a mark on the accuracy of a thousand.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from archon_contracts.events import PairedComparison, RejectionKind
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY, BALANCED_ACCURACY, RECALL
from archon_contracts.values import (
    ALL_ITEMS,
    REFERENCE_ITEMS,
    Estimate,
    GatePolicy,
    MetricFamily,
    MetricResult,
    UndecidedGroups,
)
from services.evaluator.comparison.estimates import estimate_proportion
from services.evaluator.comparison.paired_tests import compare
from services.evaluator.comparison.policy_rules import list_names

MAJORITY: Final = "majority"
"""Beside the models' names: always the most frequent right answer of the items."""
LEAST_LOST: Final = 5
"""Right answers of which none is left; of fewer the loss may be chance (one-sided p < 0.05)."""
MAX_CLASSES: Final = 20
"""Classes whose recall is reported, the worst first: an agent may have thousands."""


def build_majority_rows(rows: Sequence[PredictionRow]) -> list[PredictionRow]:
    """The answers of a model that always gives the most frequent right answer; [] without one.

    Of equally frequent ones that which the model of these rows gives right least often: the
    comparison with it has the largest p, so neither names nor the order of labels decide.
    """
    counts = count_right(rows)
    if not counts:
        return []
    answer = min(counts, key=lambda target: (-counts[target][1], counts[target][0], target))
    return [_answer_always(row, answer) for row in rows]


def _answer_always(row: PredictionRow, answer: str) -> PredictionRow:
    right = None if row.correct is None else row.target == answer
    return PredictionRow(
        id=row.id,
        group=row.group,
        target=row.target,
        output=answer,
        score=1.0,
        correct=right,
        correct_at_k=right,
    )


def measure_majority(rows: Sequence[PredictionRow]) -> list[MetricResult]:
    """Accuracy of the most frequent answer over all items; [] where no item has one."""
    right = [row.correct for row in _scored(build_majority_rows(rows))]
    if not right:
        return []
    estimate = estimate_proportion(sum(map(bool, right)), len(right))
    return [_metric(ACCURACY, MAJORITY, ALL_ITEMS, estimate)]


def measure_classes(
    model: str, rows: Sequence[PredictionRow], shown: Sequence[str]
) -> list[MetricResult]:
    """Balanced accuracy of one model, and its recall of the classes to show."""
    found = {
        target: estimate_proportion(right, n) for target, (right, n) in count_right(rows).items()
    }
    if not found:
        return []
    return [
        _metric(BALANCED_ACCURACY, model, ALL_ITEMS, estimate_mean(list(found.values()))),
        *(_metric(RECALL, model, target, found[target]) for target in shown if target in found),
    ]


def select_worst_classes(rows: Sequence[PredictionRow]) -> list[str]:
    """The classes with the lowest recall."""
    counts = count_right(rows)
    ranked = sorted(counts, key=lambda target: (counts[target][0] / counts[target][1], target))
    return ranked[:MAX_CLASSES]


def count_right(rows: Sequence[PredictionRow]) -> dict[str, tuple[int, int]]:
    """Right answers and scored items of each class."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for row in _scored(rows):
        right[row.target].append(bool(row.correct))
    return {target: (sum(each), len(each)) for target, each in right.items()}


def estimate_mean(parts: Sequence[Estimate]) -> Estimate:
    """The mean of independent proportions with a 95 % interval made of theirs.

    Source: Zou and Donner 2008, Statistics in Medicine 27, 1693-1702 (MOVER).
    """
    value = sum(each.value for each in parts) / len(parts)
    below = math.sqrt(sum((each.value - each.low) ** 2 for each in parts)) / len(parts)
    above = math.sqrt(sum((each.high - each.value) ** 2 for each in parts)) / len(parts)
    return Estimate(
        value=value,
        low=max(0.0, value - below),
        high=min(1.0, value + above),
        n=sum(each.n for each in parts),
    )


@dataclass(frozen=True, slots=True)
class BeatsMajority:
    """A first version must be better than the most frequent answer alone, significantly.

    The test is one-sided: that answer is a floor, not a rival. Where a version is deployed the
    comparison with it decides, and a candidate below the floor is only described as such: the
    world may have changed, and better than what serves is still better.
    """

    answer: str
    pair: PairedComparison | None
    """None: the items have no classes."""
    maximum_p_value: float
    is_required: bool
    rejection: ClassVar[RejectionKind] = RejectionKind.NO_GAIN

    @classmethod
    def of(
        cls, candidate: Sequence[PredictionRow], maximum_p_value: float, *, is_required: bool
    ) -> BeatsMajority:
        """The rule for a candidate's predictions."""
        majority = build_majority_rows(candidate)
        answer = majority[0].output if majority else ""
        pair = compare(candidate, majority)[ALL_ITEMS] if majority else None
        return cls(answer, pair, maximum_p_value, is_required)

    def find_faults(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> list[str]:
        """Why the candidate is not shown to be better."""
        if not self.is_required or self._is_better():
            return []
        return [f"{self._describe()}, which is not shown to be better"]

    def describe_success(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> str:
        """The comparison."""
        return self._describe() if self.pair else ""

    def _is_better(self) -> bool:
        if self.pair is None:
            return True
        return self.pair.difference.value > 0 and self.pair.p_value / 2 <= self.maximum_p_value

    def _describe(self) -> str:
        if self.pair is None:
            return ""
        change = self.pair.difference
        more = "more" if change.value >= 0 else "less"
        return (
            f"the candidate is right on {abs(change.value):.1%} {more} of {change.n} items than "
            f"the constant answer {self.answer!r}"
        )


@dataclass(frozen=True, slots=True)
class NoLostClass:
    """No class may be lost that the control answers, however few items it has.

    A class with five right answers or more of which none is left is lost. Of fewer that may be
    chance, and the policy decides. Larger losses that leave something are the other rules'.
    """

    lost: tuple[str, ...]
    unsure: tuple[str, ...]
    never_right: tuple[str, ...]
    """Classes that the candidate answers right on no item, whatever the control does."""
    undecided: UndecidedGroups
    rejection: ClassVar[RejectionKind] = RejectionKind.FORGETTING

    @classmethod
    def of(
        cls,
        candidate: Sequence[PredictionRow],
        control: Sequence[PredictionRow],
        policy: GatePolicy,
    ) -> NoLostClass:
        """The rule for two models' predictions; a loss within the policy's limit is none."""
        now, before = count_right(candidate), count_right(control)
        never_right = sorted(target for target, (right, _) in now.items() if right == 0)
        limits = {target: policy.maximum_forgetting * now[target][1] for target in never_right}
        had = {target: before.get(target, (0, 0))[0] for target in never_right}
        gone = [target for target in never_right if had[target] > limits[target]]
        return cls(
            tuple(target for target in gone if had[target] >= LEAST_LOST),
            tuple(target for target in gone if 0 < had[target] < LEAST_LOST),
            tuple(never_right),
            policy.undecided_groups,
        )

    def find_faults(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> list[str]:
        """The lost classes."""
        gone = self.lost
        if self.undecided is UndecidedGroups.REJECT:
            gone = (*gone, *self.unsure)
        if not gone:
            return []
        return [f"{len(gone)} classes are no longer answered right at all: {list_names(gone)}"]

    def find_review_reasons(self) -> tuple[str, ...]:
        """The classes that are left to a person, where the policy says so."""
        if self.undecided is not UndecidedGroups.REVIEW or not self.unsure:
            return ()
        return (f"{len(self.unsure)} small classes may be lost: {list_names(self.unsure)}",)

    def describe_success(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> str:
        """The classes of which no item is right."""
        if not self.never_right:
            return ""
        before = f", {len(self.unsure)} of them were before" if self.unsure else ""
        named = list_names(self.never_right)
        return f"{len(self.never_right)} classes are right on none of their items: {named}{before}"


def _scored(rows: Sequence[PredictionRow]) -> list[PredictionRow]:
    """The rows of classes; the protected reference set has a rule of its own."""
    return [
        row
        for row in rows
        if row.correct is not None and row.target and row.group != REFERENCE_ITEMS
    ]


def _metric(name: str, model: str, group: str, estimate: Estimate) -> MetricResult:
    return MetricResult(
        name=name, family=MetricFamily.ACCURACY, model=model, group=group, estimate=estimate
    )
