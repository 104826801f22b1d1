"""What a candidate may lose in a group: non-inferiority with a margin, and many groups at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Final

from archon_contracts.events import PairedComparison, RejectionKind
from archon_contracts.values import ALL_ITEMS, UndecidedGroups
from services.evaluator.comparison.loss_tests import (
    adjust_holm,
    compute_loss_p_value,
    estimate_detectable_loss,
)

LEVEL: Final = 0.05
"""Of all groups' tests together: a candidate that loses nothing is refused once in twenty times."""

Comparisons = Mapping[str, Mapping[str, PairedComparison]]
"""Metric -> group -> candidate beside control."""


class GroupLoss(Enum):
    """What the items of a group say about it."""

    NONE = auto()
    WITHIN_LIMIT = auto()  # a loss that is no chance, and that the policy allows
    BEYOND_LIMIT = auto()  # a loss that is no chance, larger than the policy allows
    UNDECIDED = auto()  # larger than allowed, and it may be chance


@dataclass(frozen=True, slots=True)
class NoGroupRegression:
    """No group may lose more than the limit.

    A loss counts when it is significant among all groups together (Holm): of 40 groups of 30 items
    some lose five points at random, and a better candidate would hardly ever pass. One within the
    limit passes and is stated: an agent whose labels grow loses a little on each old group. One
    beyond the limit that may be chance is left to the policy, and stated.
    """

    metric: str
    maximum_loss: float
    undecided: UndecidedGroups = UndecidedGroups.ACCEPT
    rejection: ClassVar[RejectionKind] = RejectionKind.FORGETTING

    def find_faults(self, comparisons: Comparisons) -> list[str]:
        """One fault for each group that loses too much."""
        faults = []
        for group, loss in self.classify_losses(comparisons).items():
            pair = comparisons[self.metric][group]
            if loss is GroupLoss.BEYOND_LIMIT:
                faults.append(
                    f"group {group!r} loses {-pair.difference.value:.1%}, "
                    f"more than the {self.maximum_loss:.1%} allowed"
                )
            if loss is GroupLoss.UNDECIDED and self.undecided is UndecidedGroups.REJECT:
                faults.append(self._describe_undecided(group, pair))
        return faults

    def find_review_reasons(self, comparisons: Comparisons) -> tuple[str, ...]:
        """The groups that are left to a person, where the policy says so."""
        if self.undecided is not UndecidedGroups.REVIEW:
            return ()
        return tuple(
            self._describe_undecided(group, comparisons[self.metric][group])
            for group, loss in self.classify_losses(comparisons).items()
            if loss is GroupLoss.UNDECIDED
        )

    def describe_success(self, comparisons: Comparisons) -> str:
        """Said only where there are groups: losses that are allowed or open, and the power."""
        losses = self.classify_losses(comparisons)
        if not losses:
            return ""
        stated = ["no group loses more than allowed"]
        for group, loss in losses.items():
            pair = comparisons[self.metric][group]
            if loss is GroupLoss.WITHIN_LIMIT:
                lost = -pair.difference.value
                stated.append(f"group {group!r} loses {lost:.1%} significantly, within the limit")
            if loss is GroupLoss.UNDECIDED:
                stated.append(self._describe_undecided(group, pair))
        return "; ".join([*stated, self._describe_power(comparisons)])

    def classify_losses(self, comparisons: Comparisons) -> dict[str, GroupLoss]:
        """What each group's items say about a loss."""
        pairs = {g: pair for g, pair in comparisons[self.metric].items() if g != ALL_ITEMS}
        adjusted = adjust_holm({g: compute_loss_p_value(pair) for g, pair in pairs.items()})
        return {g: self._classify(pair, adjusted[g]) for g, pair in pairs.items()}

    def _classify(self, pair: PairedComparison, adjusted_p_value: float) -> GroupLoss:
        beyond = -pair.difference.value > self.maximum_loss
        if adjusted_p_value <= LEVEL:
            return GroupLoss.BEYOND_LIMIT if beyond else GroupLoss.WITHIN_LIMIT
        return GroupLoss.UNDECIDED if beyond else GroupLoss.NONE

    def _describe_undecided(self, group: str, pair: PairedComparison) -> str:
        return (
            f"group {group!r} loses {-pair.difference.value:.1%} of {pair.difference.n} items, "
            "too few to show a loss beyond the limit"
        )

    def _describe_power(self, comparisons: Comparisons) -> str:
        """What the weakest group could have shown; the first step of Holm tests at level/groups."""
        pairs = {g: pair for g, pair in comparisons[self.metric].items() if g != ALL_ITEMS}
        found = {g: estimate_detectable_loss(p, LEVEL / len(pairs)) for g, p in pairs.items()}
        weakest = max(found, key=lambda group: (found[group], group))
        return (
            f"with the {pairs[weakest].difference.n} items of {weakest!r} a loss of "
            f"{100 * found[weakest]:.1f} points would have been found in 80 %"
        )
