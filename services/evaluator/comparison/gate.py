"""The gate: a list of rules over named metrics, each of which may find faults. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from archon_contracts.events import PairedComparison, RejectionKind
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import ALL_ITEMS, Estimate, FastPathPolicy, GatePolicy

MIN_GROUP_SIZE: Final = 30
"""With fewer items, one answer more or less moves a proportion by more than most limits."""

HIDDEN_GROUPS: Final = "accuracy of what no group guards"
"""Where the comparisons of `compare_hidden_groups` are, beside those of the metrics."""
SMALL_GROUPS: Final = "all small groups together"

Comparisons = Mapping[str, Mapping[str, PairedComparison]]
"""Metric -> group -> candidate beside control."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's decision, and its reasons as sentences."""

    passed: bool
    reasons: tuple[str, ...]
    rejection_kinds: tuple[RejectionKind, ...] = ()
    """What it was refused for, each kind once."""


@dataclass(frozen=True, slots=True)
class SignificantGain:
    """The metric must rise over all items, by enough and significantly."""

    metric: str
    minimum_gain: float
    maximum_p_value: float
    rejection: ClassVar[RejectionKind] = RejectionKind.NO_GAIN

    def find_faults(self, comparisons: Comparisons) -> list[str]:
        """Why the rule is not kept; nothing where it is."""
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
        whole = comparisons[self.metric][ALL_ITEMS]
        change = whole.difference
        return (
            f"{self.metric} rises by {change.value:.1%} (95 % interval {change.low:+.1%} to "
            f"{change.high:+.1%}, p = {whole.p_value:.2g}, n = {change.n})"
        )


@dataclass(frozen=True, slots=True)
class NoGroupRegression:
    """No group may lose more than the limit: non-inferiority with a margin, group by group.

    A loss within the limit passes, also a significant one, and is stated: with many groups some
    would be refused at random, and an agent whose labels grow loses a little on each old group.
    In a group of few items the loss must be beyond the limit with 95 % confidence.
    """

    metric: str
    maximum_loss: float
    rejection: ClassVar[RejectionKind] = RejectionKind.FORGETTING

    def find_faults(self, comparisons: Comparisons) -> list[str]:
        """One fault for each group that loses too much."""
        return [
            f"group {group!r} loses {-change.value:.1%}, "
            f"more than the {self.maximum_loss:.1%} allowed"
            for group, change in self._groups(comparisons)
            if self._exceeds_limit(change)
        ]

    def describe_success(self, comparisons: Comparisons) -> str:
        """Said only where there are groups; with the losses that the limit allows."""
        groups = self._groups(comparisons)
        if not groups:
            return ""
        losses = [loss for group, change in groups if (loss := self._describe_loss(group, change))]
        return "; ".join(["no group loses more than allowed", *losses])

    def _groups(self, comparisons: Comparisons) -> list[tuple[str, Estimate]]:
        found = comparisons[self.metric].items()
        return [(group, pair.difference) for group, pair in found if group != ALL_ITEMS]

    def _exceeds_limit(self, change: Estimate) -> bool:
        if change.n >= MIN_GROUP_SIZE:
            return -change.value > self.maximum_loss
        return -change.high > self.maximum_loss

    def _describe_loss(self, group: str, change: Estimate) -> str:
        if change.high < 0:
            return f"group {group!r} loses {-change.value:.1%} significantly, within the limit"
        if change.n < MIN_GROUP_SIZE and -change.value > self.maximum_loss:
            return (
                f"group {group!r} loses {-change.value:.1%} of {change.n} items, "
                "too few to show a loss beyond the limit"
            )
        return ""


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
            f"more than the {self.maximum_loss:.1%} that an update may lose"
        ]

    def describe_success(self, comparisons: Comparisons) -> str:
        """The change."""
        change = comparisons[self.metric][ALL_ITEMS].difference
        return f"{self.metric} changes by {change.value:+.1%} (n = {change.n})"


GateRule = SignificantGain | NoGroupRegression | NoHiddenRegression | UpdateLearnt | NoOverallLoss


def build_rules(policy: GatePolicy, *, deployed: bool) -> list[GateRule]:
    """The rules of a policy. Nobody is served by the base model, so no group can lose by it."""
    rules: list[GateRule] = [SignificantGain(ACCURACY, policy.minimum_gain, policy.maximum_p_value)]
    if deployed:
        rules.append(NoGroupRegression(ACCURACY, policy.maximum_forgetting))
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
        NoGroupRegression(ACCURACY, policy.maximum_forgetting),
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
