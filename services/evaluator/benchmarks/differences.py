"""One metric of two agents on the same answers: paired tests, adjusted over all of them. Pure.

Right-or-wrong metrics with one answer an item go through McNemar's test and Newcombe's interval;
all others, and answers that were repeated, through the bootstrap of the items' differences.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.formats import CaseResult
from archon_contracts.values import ALL_ITEMS, Estimate
from services.evaluator.comparison.loss_tests import adjust_holm
from services.evaluator.comparison.paired_tests import compare_pairs
from services.evaluator.metrics.accuracy import exact_match, task_success, text_similarity
from services.evaluator.metrics.estimators import LARGE_SAMPLE, RESAMPLES, SEED, bootstrap

ItemValue = Callable[[CaseResult], float | None]


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """A metric that has a value for each item."""

    value: ItemValue
    higher_is_better: bool = True
    is_binary: bool = False


COMPARED: Final[Mapping[str, ComparedMetric]] = {
    "accuracy": ComparedMetric(lambda case: case.correct, is_binary=True),
    "exact_match": ComparedMetric(exact_match.score, is_binary=True),
    "task_success": ComparedMetric(task_success.score, is_binary=True),
    "text_similarity": ComparedMetric(text_similarity.score),
    "response_quality": ComparedMetric(lambda case: case.quality),
    "time_per_task": ComparedMetric(lambda case: case.latency_seconds, higher_is_better=False),
    "output_tokens": ComparedMetric(lambda case: case.output_tokens, higher_is_better=False),
    "cost": ComparedMetric(lambda case: case.cost, higher_is_better=False),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus control of one metric in one group, with the test's p."""

    metric: str
    group: str
    estimate: Estimate
    p_value: float
    adjusted_p_value: float
    higher_is_better: bool = True


def compare_answers(
    candidate: Sequence[CaseResult], control: Sequence[CaseResult], metrics: Sequence[str] = ()
) -> list[Difference]:
    """The differences of all metrics, or of those named, over all items and in each group.

    p is adjusted by Holm over all of them together. Items that only one of them answered, or that
    one has no score for, are in no difference.
    """
    found = []
    for name in metrics or COMPARED:
        compared = COMPARED[name]
        for group, pairs in _pair(candidate, control, compared.value).items():
            tested = _test(pairs, is_binary=compared.is_binary)
            if tested is not None:
                found.append((name, group, *tested, compared.higher_is_better))
    adjusted = adjust_holm({f"{name}\0{group}": p for name, group, _, p, _ in found})
    return [
        Difference(name, group, estimate, p, adjusted[f"{name}\0{group}"], better)
        for name, group, estimate, p, better in found
    ]


Pairs = Sequence[tuple[tuple[float, ...], tuple[float, ...]]]
"""Of each item the values of the candidate's and the control's answers, one per repeat."""


def _pair(
    candidate: Sequence[CaseResult], control: Sequence[CaseResult], value: ItemValue
) -> dict[str, Pairs]:
    before, now = _values(control, value), _values(candidate, value)
    groups: defaultdict[str, list[tuple[tuple[float, ...], tuple[float, ...]]]] = defaultdict(list)
    for (identifier, group), values in now.items():
        if (identifier, group) in before:
            pair = (tuple(values), tuple(before[identifier, group]))
            groups[ALL_ITEMS].append(pair)
            if group and group != ALL_ITEMS:
                groups[group].append(pair)
    return dict(groups)


def _values(cases: Sequence[CaseResult], value: ItemValue) -> dict[tuple[str, str], list[float]]:
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for case in cases:
        scored = value(case)
        if scored is not None:
            found[case.id, case.group].append(float(scored))
    return dict(found)


def _test(pairs: Pairs, *, is_binary: bool) -> tuple[Estimate, float] | None:
    """Difference and p; None where one item alone says nothing."""
    if is_binary and all(len(now) == len(then) == 1 for now, then in pairs):
        found = compare_pairs([(bool(now[0]), bool(then[0])) for now, then in pairs])
        return found.difference, found.p_value
    # Repeats of an item are no further items: each item counts once, with its mean.
    differences = [sum(now) / len(now) - sum(then) / len(then) for now, then in pairs]
    return estimate_mean_difference(differences)


def estimate_mean_difference(differences: Sequence[float]) -> tuple[Estimate, float] | None:
    """Mean of the items' differences, its interval, and p of the test that it is none.

    The interval is the bootstrap's (BCa, `scipy.stats.bootstrap`), p of the permutation test that
    flips signs (`scipy.stats.permutation_test`); from `LARGE_SAMPLE` items on both are of the t
    distribution, which they come to.
    """
    import numpy as np
    from scipy import stats

    sample, n = np.asarray(differences, dtype=float), len(differences)
    if n < 2:
        return None
    middle = math.fsum(differences) / n
    if not np.ptp(sample):
        # Equal in all items: nothing to resample. The chance that all signs agree is p.
        p_value = 1.0 if middle == 0 else min(1.0, 2.0 ** (1 - n))
        return Estimate(value=middle, low=middle, high=middle, n=n), p_value
    if n >= LARGE_SAMPLE:
        tested = stats.ttest_1samp(sample, 0.0)
        interval = tested.confidence_interval()
        low, high, p_value = float(interval.low), float(interval.high), float(tested.pvalue)
    else:
        low, high = bootstrap((sample,), np.mean)
        flipped = stats.permutation_test(
            (sample,),
            np.mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=RESAMPLES,
            rng=np.random.default_rng(SEED),
        )
        p_value = float(flipped.pvalue)
    return Estimate(value=middle, low=min(low, middle), high=max(high, middle), n=n), p_value
