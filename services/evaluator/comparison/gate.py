"""The gate: a list of rules over named metrics, each of which may find faults. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from archon_contracts.events import PairedComparison, RejectionKind
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import ALL_ITEMS, Estimate, FastPathPolicy, GatePolicy
from services.evaluator.comparison.arms import BeatsClosedForm, BeatsNeighbours
from services.evaluator.comparison.class_recall import BeatsMajority, NoLostClass
from services.evaluator.comparison.group_rule import Comparisons, NoGroupRegression
from services.evaluator.comparison.loss_tests import (
    adjust_holm,
    compute_gain_p_value,
    compute_loss_p_value,
)
from services.evaluator.comparison.paired_tests import OTHER_ITEMS, SMALL_GROUPS, TAUGHT_ITEMS
from services.evaluator.comparison.policy_rules import AnswerDrift, NeverRegress
from services.evaluator.comparison.requirements import MeetsRequirements

HIDDEN_GROUPS: Final = "accuracy of what no group guards"
"""Where the comparisons of `compare_hidden_groups` are, beside those of the metrics."""
TAUGHT: Final = "accuracy of what is taught"
"""Where the comparisons of `compare_taught` are, if there are any."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's decision, and its reasons as sentences."""

    passed: bool
    reasons: tuple[str, ...]
    rejection_kinds: tuple[RejectionKind, ...] = ()
    """What it was refused for, each kind once."""


@dataclass(frozen=True, slots=True)
class SignificantGain:
    """The metric must rise by enough and significantly: over all items, or in a group of them.

    A window teaches its own topics. Where they are a small part of the items, their gain is lost in
    the noise of the others; so a group's gain counts too, among all groups together (Holm), if
    nothing is lost over all items. The items whose answer the window teaches are such a group, as
    few suites have groups that a window fills. Their gain must not come at the cost of the others:
    these must not lose significantly, and for an agent that serves, all items together must gain
    by a one-sided test, which has twice the p-value that is asked of a gain without this evidence.
    """

    metric: str
    minimum_gain: float
    maximum_p_value: float
    deployed: bool = True
    rejection: ClassVar[RejectionKind] = RejectionKind.NO_GAIN

    def find_faults(self, comparisons: Comparisons) -> list[str]:
        """Why the rule is not kept; nothing where it is."""
        if self._find_gaining_group(comparisons):
            return []
        whole = comparisons[self.metric][ALL_ITEMS]
        gain = whole.difference.value
        if gain <= 0 or gain < self.minimum_gain:
            required = f"; at least {self.minimum_gain:.1%} is required"
            return [
                f"{self.metric} changes by {gain:+.1%}" + (required if self.minimum_gain else "")
            ]
        if whole.p_value > self.maximum_p_value:
            return [
                f"a gain of {gain:+.1%} may be chance: p = {whole.p_value:.3f}, "
                f"above {self.maximum_p_value:g}"
            ]
        return []

    def describe_success(self, comparisons: Comparisons) -> str:
        """The gain, with the evidence for it."""
        group = self._find_gaining_group(comparisons)
        gaining = self._list_groups(comparisons)[group] if group else None
        gaining = gaining or comparisons[self.metric][ALL_ITEMS]
        change = gaining.difference
        return (
            f"{self.metric} rises by {change.value:.1%} (95 % interval {change.low:+.1%} to "
            f"{change.high:+.1%}, p = {gaining.p_value:.2g}, n = {change.n})"
            + (f" in group {group!r}" if group else "")
        )

    def _find_gaining_group(self, comparisons: Comparisons) -> str | None:
        """The group whose gain stands for the whole; None where the whole gains, or none does."""
        pairs = comparisons[self.metric]
        if self._gains(pairs[ALL_ITEMS], pairs[ALL_ITEMS].p_value):
            return None
        if pairs[ALL_ITEMS].difference.value < 0:
            return None
        groups = self._list_groups(comparisons)
        adjusted = adjust_holm({group: pair.p_value for group, pair in groups.items()})
        gaining = [group for group in groups if self._gains(groups[group], adjusted[group])]
        return max(gaining, key=lambda group: (groups[group].difference.value, group), default=None)

    def _list_groups(self, comparisons: Comparisons) -> dict[str, PairedComparison]:
        """The groups of the suite, and what the window teaches where that costs nothing else."""
        groups = {g: pair for g, pair in comparisons[self.metric].items() if g != ALL_ITEMS}
        split = comparisons.get(TAUGHT, {})
        if not split or compute_loss_p_value(split[OTHER_ITEMS]) <= self.maximum_p_value:
            return groups
        whole = comparisons[self.metric][ALL_ITEMS]
        if not self.deployed or compute_gain_p_value(whole) <= self.maximum_p_value:
            groups[TAUGHT_ITEMS] = split[TAUGHT_ITEMS]
        return groups

    def _gains(self, pair: PairedComparison, p_value: float) -> bool:
        gain = pair.difference.value
        return gain > 0 and gain >= self.minimum_gain and p_value <= self.maximum_p_value


@dataclass(frozen=True, slots=True)
class NoHiddenRegression:
    """Nor may what no group of its own guards lose more than the limit.

    Items without a group are looked at by their target, and what is in groups or targets too small
    to show a loss is looked at together. A single target must surely lose more than the limit, as
    there may be many; all small ones together must lose more, and significantly.
    """

    maximum_loss: float
    rejection: ClassVar[RejectionKind] = RejectionKind.FORGETTING

    def find_faults(self, comparisons: Comparisons) -> list[str]:
        """One fault for each target that loses too much, and one for all small groups."""
        return [
            f"{group} loses {-pair.difference.value:.1%} of {pair.difference.n} items, "
            f"more than the {self.maximum_loss:.1%} allowed"
            for group, pair in comparisons[HIDDEN_GROUPS].items()
            if self._exceeds_limit(group, pair.difference)
        ]

    def describe_success(self, _comparisons: Comparisons) -> str:
        """The other rules say enough."""
        return ""

    def _exceeds_limit(self, group: str, change: Estimate) -> bool:
        if group == SMALL_GROUPS:
            return change.high < 0 and -change.value > self.maximum_loss
        return -change.high > self.maximum_loss


@dataclass(frozen=True, slots=True)
class UpdateLearnt:
    """The candidate must answer what it was corrected on: the fast path's reason to exist.

    One correction cannot raise the accuracy over a suite significantly, so no gain there is asked.
    """

    right_before: int
    right_after: int
    items: int
    rejection: ClassVar[RejectionKind] = RejectionKind.NO_GAIN

    def find_faults(self, _comparisons: Comparisons) -> list[str]:
        """Why nothing was learnt; nothing where something was."""
        if self.right_before == self.items:
            return [f"the deployed version answers all {self.items} corrections already"]
        if self.right_after <= self.right_before:
            return [
                f"of {self.items} corrections the candidate answers {self.right_after} right, "
                f"the deployed version {self.right_before}"
            ]
        return []

    def describe_success(self, _comparisons: Comparisons) -> str:
        """How many corrections it answers."""
        return (
            f"of {self.items} corrections {self.right_after} are answered right, "
            f"{self.right_before} before"
        )


@dataclass(frozen=True, slots=True)
class NoOverallLoss:
    """The metric must not fall over all items by more than the limit."""

    metric: str
    maximum_loss: float
    rejection: ClassVar[RejectionKind] = RejectionKind.FORGETTING

    def find_faults(self, comparisons: Comparisons) -> list[str]:
        """The loss, where it exceeds the limit."""
        change = comparisons[self.metric][ALL_ITEMS].difference
        if -change.value <= self.maximum_loss:
            return []
        return [
            f"{self.metric} falls by {-change.value:.1%} of {change.n} items, "
            f"more than the {self.maximum_loss:.1%} that it may lose"
        ]

    def describe_success(self, comparisons: Comparisons) -> str:
        """The change."""
        change = comparisons[self.metric][ALL_ITEMS].difference
        return f"{self.metric} changes by {change.value:+.1%} (n = {change.n})"


GateRule = (
    SignificantGain
    | NoGroupRegression
    | NoHiddenRegression
    | UpdateLearnt
    | NoOverallLoss
    | NeverRegress
    | AnswerDrift
    | MeetsRequirements
    | BeatsMajority
    | BeatsClosedForm
    | BeatsNeighbours
    | NoLostClass
)


def build_rules(policy: GatePolicy, *, deployed: bool) -> list[GateRule]:
    """The rules of a policy. Nobody is served by the base model, so no group can lose by it."""
    rules: list[GateRule] = [
        SignificantGain(ACCURACY, policy.minimum_gain, policy.maximum_p_value, deployed)
    ]
    if deployed:
        limit = policy.maximum_forgetting
        rules.append(NoGroupRegression(ACCURACY, limit, policy.undecided_groups))
        rules.append(NoHiddenRegression(policy.maximum_forgetting))
    return rules


def build_update_rules(
    policy: GatePolicy,
    fast_path: FastPathPolicy,
    *,
    right_before: int,
    right_after: int,
    items: int,
) -> list[GateRule]:
    """The rules of a fast-path update: what was corrected is learnt, and nothing else is lost."""
    return [
        UpdateLearnt(right_before, right_after, items),
        NoOverallLoss(ACCURACY, fast_path.maximum_loss),
        NoGroupRegression(ACCURACY, policy.maximum_forgetting, policy.undecided_groups),
        NoHiddenRegression(policy.maximum_forgetting),
    ]


def build_withdrawal_rules(policy: GatePolicy) -> list[GateRule]:
    """The rules of a version without retracted feedback, which is not made to gain anything."""
    return [
        NoOverallLoss(ACCURACY, policy.maximum_forgetting),
        NoGroupRegression(ACCURACY, policy.maximum_forgetting, policy.undecided_groups),
        NoHiddenRegression(policy.maximum_forgetting),
    ]


def decide_gate(comparisons: Comparisons, rules: Sequence[GateRule]) -> GateDecision:
    """Pass a candidate in which no rule finds a fault."""
    found = [(rule.rejection, fault) for rule in rules for fault in rule.find_faults(comparisons)]
    if found:
        # In the order of the rules, so that equal evaluations give equal reports.
        kinds = tuple(dict.fromkeys(kind for kind, _ in found))
        return GateDecision(False, tuple(fault for _, fault in found), kinds)
    kept = [text for rule in rules if (text := rule.describe_success(comparisons))]
    return GateDecision(True, ("; ".join(kept),))


def combine(first: GateDecision, second: GateDecision) -> GateDecision:
    """Both decisions as one: a candidate passes where both let it, and its faults are of both."""
    if first.passed is not second.passed:
        return second if first.passed else first
    kinds = dict.fromkeys((*first.rejection_kinds, *second.rejection_kinds))
    return GateDecision(first.passed, (*first.reasons, *second.reasons), tuple(kinds))
