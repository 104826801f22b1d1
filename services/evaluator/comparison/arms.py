"""The models that answered one evaluation, side by side with what they cost, and the rule that a
fine-tuned candidate must beat the free one. Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from archon_contracts.commands import RunSummary
from archon_contracts.events import EvaluationArm, PairedComparison, RejectionKind
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import (
    CLOSED_FORM_SECONDS,
    FINE_TUNED_SECONDS,
    SEED_DEVIATION,
)
from archon_contracts.values import ALL_ITEMS, Estimate, GatePolicy
from services.evaluator.comparison.group_rule import Comparisons
from services.evaluator.comparison.paired_tests import compare, estimate_groups
from services.evaluator.domain import Role


def build_arms(
    predictions: Mapping[Role, Sequence[PredictionRow]], run: RunSummary | None
) -> tuple[EvaluationArm, ...]:
    """Each model's accuracy over all items, with the time that it costs to train and to answer.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    candidate = predictions[Role.CANDIDATE]
    found = []
    for role, rows in predictions.items():
        pair = None if role is Role.CANDIDATE else compare(candidate, rows)[ALL_ITEMS]
        timed = [row.latency_seconds for row in rows if row.latency_seconds is not None]
        found.append(
            EvaluationArm(
                model=role.value,
                accuracy=_estimate(rows),
                difference=pair.difference if pair else None,
                p_value=pair.p_value if pair else None,
                training_seconds=_training_seconds(role, run, has_rival=_has_rival(predictions)),
                answer_seconds=statistics.median(timed) if timed else None,
            )
        )
    return tuple(found)


def _estimate(rows: Sequence[PredictionRow]) -> Estimate:
    return estimate_groups(rows, lambda row: row.correct)[ALL_ITEMS]


def _has_rival(predictions: Mapping[Role, Sequence[PredictionRow]]) -> bool:
    return Role.CLOSED_FORM in predictions


def _training_seconds(role: Role, run: RunSummary | None, *, has_rival: bool) -> float | None:
    """What the run spent on one model: of two candidates each has its own part."""
    if run is None or role not in (Role.CANDIDATE, Role.CLOSED_FORM):
        return None
    if role is Role.CLOSED_FORM or run.replaced:
        return run.metrics.get(CLOSED_FORM_SECONDS)
    return run.metrics.get(FINE_TUNED_SECONDS) if has_rival else run.training_seconds


@dataclass(frozen=True, slots=True)
class BeatsClosedForm:
    """A fine-tuned candidate must be better than the closed form of its training, significantly.

    That one costs a hundredth, depends on no order of the data, and takes single corrections and
    retractions exactly. The test is one-sided: equal is not enough.
    """

    pair: PairedComparison
    accuracies: tuple[float, float]
    """Of the fine-tuned candidate and of the closed form, on the same items."""
    seconds: tuple[float | None, float | None]
    """What each cost to train."""
    maximum_p_value: float
    noise_floor: float = 0.0
    """Twice the deviation of the fine-tuned accuracy over seeds; 0: not measured."""
    rejection: ClassVar[RejectionKind] = RejectionKind.NOT_ABOVE_CLOSED_FORM

    @classmethod
    def of(
        cls,
        candidate: Sequence[PredictionRow],
        closed_form: Sequence[PredictionRow],
        policy: GatePolicy,
        run: RunSummary | None,
    ) -> BeatsClosedForm:
        """The rule for two models' predictions.

        Raises:
            Unscorable: no item has a right answer, or the models answered different items.
        """
        pair = compare(candidate, closed_form)[ALL_ITEMS]
        return cls(
            pair,
            (_estimate(candidate).value, _estimate(closed_form).value),
            (
                _training_seconds(Role.CANDIDATE, run, has_rival=True),
                _training_seconds(Role.CLOSED_FORM, run, has_rival=True),
            ),
            policy.maximum_p_value,
            2 * run.metrics.get(SEED_DEVIATION, 0.0) if run else 0.0,
        )

    def find_faults(self, _comparisons: Comparisons) -> list[str]:
        """Why the candidate is not shown to be better."""
        if self.pair.difference.value <= 0 or self._p_value > self.maximum_p_value:
            return [f"{self._describe()}: fine-tuning is not shown to be better"]
        if self.pair.difference.value < self.noise_floor:
            return [f"{self._describe()}: another seed may lose what this one gained"]
        return []

    def describe_success(self, _comparisons: Comparisons) -> str:
        """Both figures."""
        return self._describe()

    @property
    def _p_value(self) -> float:
        """One-sided: the exact two-sided p is twice that of the side that the items lean to."""
        return self.pair.p_value / 2 if self.pair.difference.value > 0 else 1.0

    def _describe(self) -> str:
        tuned, free = (
            f"{accuracy:.1%}" + ("" if seconds is None else f" after {seconds:.1f} s")
            for accuracy, seconds in zip(self.accuracies, self.seconds, strict=True)
        )
        return (
            f"fine-tuned {tuned}, closed form {free}, of the same {self.pair.difference.n} items "
            f"(one-sided p = {self._p_value:.2g}"
            + (f"; seeds alone differ by up to {self.noise_floor:.1%}" if self.noise_floor else "")
            + ")"
        )


@dataclass(frozen=True, slots=True)
class BeatsNeighbours:
    """A candidate must not be worse than looking the answer up among its training items.

    A fine-tuned one must be better, significantly; of a closed form, which costs seconds, a loss
    must be significant to refuse it. One-sided exact McNemar tests.
    """

    pair: PairedComparison
    accuracies: tuple[float, float]
    """Of the candidate and of the neighbours, on the same items."""
    maximum_p_value: float
    fine_tuned: bool
    rejection: ClassVar[RejectionKind] = RejectionKind.NOT_ABOVE_NEIGHBOURS

    @classmethod
    def of(
        cls,
        candidate: Sequence[PredictionRow],
        neighbours: Sequence[PredictionRow],
        policy: GatePolicy,
        *,
        fine_tuned: bool,
    ) -> BeatsNeighbours:
        """The rule for two models' predictions.

        Raises:
            Unscorable: no item has a right answer, or the models answered different items.
        """
        return cls(
            compare(candidate, neighbours)[ALL_ITEMS],
            (_estimate(candidate).value, _estimate(neighbours).value),
            policy.maximum_p_value,
            fine_tuned,
        )

    def find_faults(self, _comparisons: Comparisons) -> list[str]:
        """Why training is not worth its cost."""
        change = self.pair.difference.value
        significant = self.pair.p_value / 2 <= self.maximum_p_value
        if change < 0 and significant:
            return [f"{self._describe()}: looking answers up is better"]
        if self.fine_tuned and not (change > 0 and significant):
            return [f"{self._describe()}: fine-tuning is not shown to be better"]
        return []

    def describe_success(self, _comparisons: Comparisons) -> str:
        """Both figures."""
        return self._describe()

    def _describe(self) -> str:
        change, (candidate, neighbours) = self.pair.difference, self.accuracies
        return (
            f"{candidate:.1%} beside {neighbours:.1%} of the nearest training items, without "
            f"training ({change.value:+.1%}, 95 % interval {change.low:+.1%} to {change.high:+.1%})"
        )
