"""The requirements of a gate policy on single metrics, and whether the items show them. Pure.

scipy is imported here, so only child processes may import this module; `special` alone (see
`estimates.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from scipy.special import stdtr, stdtrit

from archon_contracts.events import RejectionKind
from archon_contracts.formats import PredictionRow
from archon_contracts.rules.gate_requirements import GatedMetric, GateRequirement, RequirementKind
from archon_contracts.values import ALL_ITEMS, Estimate, GatePolicy
from services.evaluator.comparison.group_rule import Comparisons
from services.evaluator.comparison.loss_tests import adjust_holm
from services.evaluator.scoring.scorers import cross_entropy

MINIMUM_ITEMS: Final = 10
"""The t distribution describes a mean of fewer differences badly where they are skewed."""


def _loss(row: PredictionRow) -> float | None:
    return None if row.correct is None else -cross_entropy(row.score, right=row.correct)


GOODNESS: Final[Mapping[GatedMetric, Callable[[PredictionRow], float | None]]] = {
    GatedMetric.ACCURACY: lambda row: row.correct,
    GatedMetric.ACCURACY_AT_5: lambda row: row.correct_at_k,
    GatedMetric.CONFIDENCE_LOSS: _loss,
    GatedMetric.LATENCY_SECONDS: lambda row: (
        None if row.latency_seconds is None else -row.latency_seconds
    ),
}
"""The value of an item, with the sign with which more is better."""


@dataclass(frozen=True, slots=True)
class TestedRequirement:
    """A requirement with what the items say of it."""

    requirement: GateRequirement
    gain: Estimate | None
    """By how much the candidate is better; None: too few items have a value."""
    items: int
    p_value: float
    adjusted_p_value: float

    @property
    def is_met(self) -> bool:
        """Whether it is shown with the confidence asked for."""
        return self.gain is not None and self.adjusted_p_value <= 1 - self.requirement.confidence

    def describe(self) -> str:
        """The figure beside what is asked, as a sentence."""
        asked = self.requirement
        place = asked.metric + ("" if asked.group == ALL_ITEMS else f" of group {asked.group!r}")
        if self.gain is None:
            return f"{place} cannot be compared: {self.items} items have a value for both"
        change = f"{place} gets better by {self.gain.value:.4g}"
        if self.gain.value < 0:
            change = f"{place} gets worse by {-self.gain.value:.4g}"
        aim = "must improve" if asked.kind is RequirementKind.MUST_IMPROVE else "may not fall"
        by = f" by more than {asked.margin:g}" if asked.margin else ""
        return (
            f"{change} (95 % interval {self.gain.low:+.4g} to {self.gain.high:+.4g}, "
            f"n = {self.gain.n}); it {aim}{by}, at {asked.confidence:.3g} confidence "
            f"(adjusted p = {self.adjusted_p_value:.2g})"
        )


@dataclass(frozen=True, slots=True)
class MeetsRequirements:
    """Each requirement of the policy must be shown; none holds because there are few items."""

    tested: tuple[TestedRequirement, ...]
    rejection: ClassVar[RejectionKind] = RejectionKind.REQUIREMENT

    @classmethod
    def of(
        cls,
        policy: GatePolicy,
        candidate: Sequence[PredictionRow],
        control: Sequence[PredictionRow],
    ) -> MeetsRequirements:
        """The policy's requirements, tested on the items that both answered."""
        found = [_test(each, candidate, control) for each in policy.requirements]
        adjusted = adjust_holm({str(n): p for n, (_, _, p) in enumerate(found)})
        return cls(
            tuple(
                TestedRequirement(each, gain, items, p, adjusted[str(n)])
                for n, (each, (gain, items, p)) in enumerate(
                    zip(policy.requirements, found, strict=True)
                )
            )
        )

    def find_faults(self, _comparisons: Comparisons) -> list[str]:
        """What is not shown."""
        return [each.describe() for each in self.tested if not each.is_met]

    def describe_success(self, _comparisons: Comparisons) -> str:
        """All figures."""
        return "; ".join(each.describe() for each in self.tested)


def without_improvements(policy: GatePolicy) -> GatePolicy:
    """The policy for a candidate that is not made to gain anything."""
    kept = [r for r in policy.requirements if r.kind is RequirementKind.MAY_NOT_FALL]
    return policy.model_copy(update={"requirements": tuple(kept)})


def of_an_update(policy: GatePolicy) -> GatePolicy:
    """The policy for an update of the fast path: some corrections improve no metric beyond noise.

    Nor is it timed: it has the encoder of the deployed version, and a head of the same shape.
    """
    kept = without_improvements(policy)
    timeless = [r for r in kept.requirements if r.metric is not GatedMetric.LATENCY_SECONDS]
    return kept.model_copy(update={"requirements": tuple(timeless)})


def _test(
    asked: GateRequirement, candidate: Sequence[PredictionRow], control: Sequence[PredictionRow]
) -> tuple[Estimate | None, int, float]:
    """The gain, on how many items, and p of the hypothesis that the requirement is not met."""
    value = GOODNESS[asked.metric]
    before = {row.id: value(row) for row in control}
    gains = []
    for row in candidate:
        now, then = value(row), before.get(row.id)
        if now is not None and then is not None and asked.group in (ALL_ITEMS, row.group):
            gains.append(float(now) - float(then))
    if len(gains) < MINIMUM_ITEMS:
        return None, len(gains), 1.0
    bound = asked.margin if asked.kind is RequirementKind.MUST_IMPROVE else -asked.margin
    may_be_equal = asked.kind is RequirementKind.MAY_NOT_FALL
    return _test_mean(gains, bound, may_be_equal=may_be_equal)


def _test_mean(
    gains: Sequence[float], bound: float, *, may_be_equal: bool
) -> tuple[Estimate, int, float]:
    """Mean of the items' gains, and one-sided p of the t test that it is `bound` or less.

    Source: Student 1908, Biometrika 6, 1-25; equal to `scipy.stats.ttest_1samp(gains, bound,
    alternative="greater")`.
    """
    n = len(gains)
    middle = math.fsum(gains) / n
    spread = math.sqrt(math.fsum((gain - middle) ** 2 for gain in gains) / (n - 1) / n)
    if not spread:
        # Nothing differs between items: what is equal has neither improved nor fallen.
        met = middle > bound or (not middle and not bound and may_be_equal)
        return Estimate(value=middle, low=middle, high=middle, n=n), n, 0.0 if met else 1.0
    p_value = float(stdtr(n - 1, -(middle - bound) / spread))
    reach = float(stdtrit(n - 1, 0.975)) * spread
    return Estimate(value=middle, low=middle - reach, high=middle + reach, n=n), n, p_value
