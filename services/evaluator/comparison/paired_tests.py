"""Metrics of one model, and the paired comparison of two that answered the same items: pure.

The control is the deployed version, or the base model when nothing is deployed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Final

from archon_contracts.events import PairedComparison
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5, LATENCY_SECONDS
from archon_contracts.values import (
    ALL_ITEMS,
    ALL_NEW_LABELS,
    NEW_LABEL_PREFIX,
    REFERENCE_ITEMS,
    Estimate,
    MetricFamily,
    MetricResult,
)
from services.evaluator.comparison.estimates import (
    compute_mcnemar_p_value,
    estimate_median,
    estimate_paired_difference,
    estimate_proportion,
)
from services.evaluator.errors import Unscorable

ItemScorer = Callable[[PredictionRow], bool | None]

MIN_GROUP_SIZE: Final = 30
"""With fewer items, one answer more or less moves a proportion by more than most limits."""
SMALL_GROUPS: Final = "all small groups together"
TAUGHT_ITEMS: Final = "what the window teaches"
OTHER_ITEMS: Final = "what the window does not teach"
"""By whether an item's right answer is among those of the window's new items."""

QUALITY_METRICS: Final[dict[str, ItemScorer]] = {
    ACCURACY: lambda row: row.correct,
    ACCURACY_AT_5: lambda row: row.correct_at_k,
}
"""Metrics of right or wrong, and where a row says which; None: the item is not scored."""


def measure(model: str, rows: Sequence[PredictionRow]) -> list[MetricResult]:
    """Every metric of one model, over all items and in each group.

    Raises:
        Unscorable: no item has a right answer.
    """
    results = [
        MetricResult(
            name=name, family=MetricFamily.ACCURACY, model=model, group=group, estimate=estimate
        )
        for name, score_item in QUALITY_METRICS.items()
        for group, estimate in estimate_groups(rows, score_item).items()
    ]
    # Only the first items of a suite are timed: see TIMED_REQUESTS in `child.py`.
    timed = [row.latency_seconds for row in rows if row.latency_seconds is not None]
    if timed:
        latency = MetricResult(
            name=LATENCY_SECONDS,
            family=MetricFamily.EFFICIENCY,
            model=model,
            estimate=estimate_median(timed),
            unit="s",
            higher_is_better=False,
        )
        results.append(latency)
    return results


def estimate_groups(rows: Sequence[PredictionRow], score_item: ItemScorer) -> dict[str, Estimate]:
    """Proportion of right answers over all scored items and in each group.

    Raises:
        Unscorable: no item has a right answer.
    """
    scores: defaultdict[str, list[bool]] = defaultdict(list)
    for row in rows:
        right = score_item(row)
        if right is not None:
            for group in _groups(row):
                scores[group].append(right)
    if ALL_ITEMS not in scores:
        raise Unscorable(f"None of {len(rows)} items has a right answer.")
    return {
        group: estimate_proportion(sum(right), len(right))
        for group, right in sorted(scores.items())
    }


def compare(
    candidate: Sequence[PredictionRow],
    control: Sequence[PredictionRow],
    score_item: ItemScorer = QUALITY_METRICS[ACCURACY],
) -> dict[str, PairedComparison]:
    """The paired comparison over all scored items and in each group.

    Raises:
        Unscorable: they did not answer the same items, or no item has a right answer.
    """
    before = {row.id: score_item(row) for row in control}
    # Equal sets of ids do not do: of two rows with one id, one would be compared with
    # the wrong item.
    if before.keys() != {row.id for row in candidate} or len(candidate) != len(control):
        raise Unscorable("Candidate and control answered different items; score both on one suite.")
    pairs: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row in candidate:
        now, then = score_item(row), before[row.id]
        if now is not None and then is not None:
            for group in _groups(row):
                pairs[group].append((now, then))
    if ALL_ITEMS not in pairs:
        raise Unscorable(f"None of {len(candidate)} items has a right answer.")
    return {group: compare_pairs(scores) for group, scores in sorted(pairs.items())}


def compare_hidden_groups(
    candidate: Sequence[PredictionRow],
    control: Sequence[PredictionRow],
    score_item: ItemScorer = QUALITY_METRICS[ACCURACY],
) -> dict[str, PairedComparison]:
    """The paired comparison of what `compare` shows in no group of its own.

    Items without a group by their target, and all groups and targets of few items together.
    """
    before = {row.id: score_item(row) for row in control}
    pairs: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row in candidate:
        now, then = score_item(row), before.get(row.id)
        if now is not None and then is not None and row.group != REFERENCE_ITEMS:
            # The prefix keeps a group and a target of the same name apart.
            name = f"group {row.group!r}" if _is_grouped(row) else f"target {row.target!r}"
            pairs[name].append((now, then))
    hidden: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for name, scores in pairs.items():
        if len(scores) < MIN_GROUP_SIZE:
            hidden[SMALL_GROUPS] += scores
        # A group that is large enough has its own comparison in `compare`.
        elif name.startswith("target"):
            hidden[name] = scores
    return {name: compare_pairs(scores) for name, scores in sorted(hidden.items())}


def compare_taught(
    candidate: Sequence[PredictionRow],
    control: Sequence[PredictionRow],
    taught: Collection[str],
    score_item: ItemScorer = QUALITY_METRICS[ACCURACY],
) -> dict[str, PairedComparison]:
    """The paired comparisons of the items whose right answer is `taught`, and of all others.

    Empty where either has none: then there is nothing that `compare` does not show.
    """
    before = {row.id: score_item(row) for row in control}
    pairs: dict[str, list[tuple[bool, bool]]] = {TAUGHT_ITEMS: [], OTHER_ITEMS: []}
    for row in candidate:
        now, then = score_item(row), before.get(row.id)
        if now is not None and then is not None and ALL_ITEMS in _groups(row):
            name = TAUGHT_ITEMS if row.target in taught else OTHER_ITEMS
            pairs[name].append((now, then))
    return (
        {name: compare_pairs(each) for name, each in pairs.items()} if all(pairs.values()) else {}
    )


def _is_grouped(row: PredictionRow) -> bool:
    return bool(row.group) and row.group != ALL_ITEMS


def compare_pairs(scores: Sequence[tuple[bool, bool]]) -> PairedComparison:
    """The comparison of (candidate right, control right) for each of some items."""
    candidate_only = sum(now and not then for now, then in scores)
    control_only = sum(then and not now for now, then in scores)
    both = sum(now and then for now, then in scores)
    neither = len(scores) - both - candidate_only - control_only
    return PairedComparison(
        difference=estimate_paired_difference(both, candidate_only, control_only, neither),
        p_value=compute_mcnemar_p_value(candidate_only, control_only),
        candidate_only=candidate_only,
        deployed_only=control_only,
    )


def _groups(row: PredictionRow) -> tuple[str, ...]:
    # Beside the items of the suite or the window, never among them: feedback wrote them.
    if row.group == REFERENCE_ITEMS:
        return (REFERENCE_ITEMS,)
    if row.group.startswith(NEW_LABEL_PREFIX):
        return (ALL_NEW_LABELS, row.group)
    return (ALL_ITEMS, row.group) if _is_grouped(row) else (ALL_ITEMS,)
