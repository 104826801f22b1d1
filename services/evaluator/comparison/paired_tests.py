"""Is the candidate better than the control? Both answered the same items: pure.

The control is the live version, or the base model when nothing is live.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.events.evaluations import PairedComparison
from archon_contracts.formats import PredictionRow
from archon_contracts.values import ALL_ITEMS, Estimate, GatePolicy
from services.evaluator.scoring.scorers import NothingScored, wilson_interval

MIN_GROUP_SIZE: Final = 30
"""With fewer items, one answer more or less moves a proportion by more than most limits."""


class NotPaired(ValueError):
    """Candidate and control did not answer the same items."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's decision, and why in plain words."""

    passed: bool
    reasons: tuple[str, ...]


def accuracy(items: Sequence[PredictionRow], *, at_k: bool = False) -> dict[str, Estimate]:
    """Proportion of right answers over all scored items and in each group.

    Raises:
        NothingScored: no item has a right answer.
    """
    outcomes: defaultdict[str, list[bool]] = defaultdict(list)
    for item in items:
        right = item.correct_at_k if at_k else item.correct
        if right is not None:
            for group in _groups(item):
                outcomes[group].append(right)
    if not outcomes:
        raise NothingScored(f"None of {len(items)} items has a right answer")
    return {
        group: wilson_interval(sum(right), len(right)) for group, right in sorted(outcomes.items())
    }


def compare(
    candidate: Sequence[PredictionRow], control: Sequence[PredictionRow]
) -> dict[str, PairedComparison]:
    """The paired comparison over all scored items and in each group.

    Raises:
        NotPaired: they did not answer the same items.
        NothingScored: no item has a right answer.
    """
    before = {item.id: item.correct for item in control}
    if before.keys() != {item.id for item in candidate} or len(candidate) != len(control):
        raise NotPaired("Candidate and control answered different items; score both on one suite")
    pairs: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for item in candidate:
        then = before[item.id]
        if item.correct is not None and then is not None:
            for group in _groups(item):
                pairs[group].append((item.correct, then))
    if not pairs:
        raise NothingScored(f"None of {len(candidate)} items has a right answer")
    return {group: _compare_pairs(outcomes) for group, outcomes in sorted(pairs.items())}


def decide_gate(comparisons: Mapping[str, PairedComparison], gate: GatePolicy) -> GateDecision:
    """Pass a candidate that is better on the whole beyond chance and in no group clearly worse."""
    whole = comparisons[ALL_ITEMS]
    gain, faults = whole.difference.value, []
    if gain <= 0 or gain < gate.minimum_gain:
        wanted = f"at least {gate.minimum_gain:.1%} is asked for" if gate.minimum_gain > 0 else ""
        faults.append(f"accuracy changes by {gain:+.1%}" + (f"; {wanted}" if wanted else ""))
    elif whole.p_value > gate.maximum_p_value:
        faults.append(
            f"a gain of {gain:+.1%} may be chance: p = {whole.p_value:.3f}, "
            f"above {gate.maximum_p_value:g}"
        )
    for group, comparison in comparisons.items():
        if group != ALL_ITEMS and (fault := _describe_regression(comparison.difference, gate)):
            faults.append(f"group {group!r} {fault}")
    if faults:
        return GateDecision(False, tuple(faults))
    low, high = whole.difference.low, whole.difference.high
    rises = (
        f"accuracy rises by {gain:.1%} (95 % interval {low:+.1%} to {high:+.1%}, "
        f"p = {whole.p_value:.2g}, n = {whole.difference.n})"
    )
    groups = "; no group loses more than allowed" if len(comparisons) > 1 else ""
    return GateDecision(True, (rises + groups,))


def mcnemar_p_value(candidate_only: int, control_only: int) -> float:
    """Two-sided exact p of McNemar's test: a binomial test of the items that differ.

    Source: McNemar 1947, Psychometrika 12, 153-157; exact form of Edwards 1948.
    """
    n, fewer = candidate_only + control_only, min(candidate_only, control_only)
    term = tail = 1
    for k in range(1, fewer + 1):
        term = term * (n - k + 1) // k
        tail += term
    return min(1.0, 2 * tail / (1 << n))


def paired_difference(both: int, candidate_only: int, control_only: int, neither: int) -> Estimate:
    """Candidate's proportion minus the control's, with a 95 % interval for paired proportions.

    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
    """
    n = both + candidate_only + control_only + neither
    ours, theirs = (
        wilson_interval(both + candidate_only, n),
        wilson_interval(both + control_only, n),
    )
    value = (candidate_only - control_only) / n
    phi = _phi(both, candidate_only, control_only, neither)
    below = _combine_margins(ours.value - ours.low, theirs.high - theirs.value, phi)
    above = _combine_margins(ours.high - ours.value, theirs.value - theirs.low, phi)
    return Estimate(value=value, low=max(-1.0, value - below), high=min(1.0, value + above), n=n)


def _combine_margins(first: float, second: float, phi: float) -> float:
    # Never below zero but for rounding: |phi| <= 1.
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


def _phi(both: int, candidate_only: int, control_only: int, neither: int) -> float:
    """Correlation of the two outcomes; a positive one is corrected for continuity."""
    margins = (
        (both + candidate_only)
        * (control_only + neither)
        * (both + control_only)
        * (candidate_only + neither)
    )
    if margins == 0:
        return 0.0
    excess = float(both * neither - candidate_only * control_only)
    if excess > 0:
        excess = max(0.0, excess - (both + candidate_only + control_only + neither) / 2)
    return excess / math.sqrt(margins)


def _compare_pairs(outcomes: Sequence[tuple[bool, bool]]) -> PairedComparison:
    candidate_only = sum(now and not then for now, then in outcomes)
    control_only = sum(then and not now for now, then in outcomes)
    both = sum(now and then for now, then in outcomes)
    neither = len(outcomes) - both - candidate_only - control_only
    return PairedComparison(
        difference=paired_difference(both, candidate_only, control_only, neither),
        p_value=mcnemar_p_value(candidate_only, control_only),
        candidate_only=candidate_only,
        deployed_only=control_only,
    )


def _describe_regression(difference: Estimate, gate: GatePolicy) -> str:
    """What is wrong with a group's change, or nothing."""
    if difference.high < 0:
        return (
            f"regresses significantly by {-difference.value:.1%} (at least {-difference.high:.1%})"
        )
    if difference.n >= MIN_GROUP_SIZE and -difference.value > gate.maximum_forgetting:
        return f"loses {-difference.value:.1%}, more than the {gate.maximum_forgetting:.1%} allowed"
    return ""


def _groups(item: PredictionRow) -> tuple[str, ...]:
    return (ALL_ITEMS, item.group) if item.group and item.group != ALL_ITEMS else (ALL_ITEMS,)
