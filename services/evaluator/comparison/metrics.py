"""Every metric of every model, from the rows of an evaluation: pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from archon_contracts import metric_names
from archon_contracts.formats import PredictionRow
from archon_contracts.values import Estimate, MetricFamily, MetricResult
from services.evaluator.comparison.paired_tests import accuracy


def measure(model: str, rows: Sequence[PredictionRow]) -> list[MetricResult]:
    """All metrics of one model.

    Raises:
        NothingScored: no item has a right answer.
    """
    results = _per_group(model, metric_names.ACCURACY, accuracy(rows))
    results += _per_group(model, metric_names.ACCURACY_AT_5, accuracy(rows, at_k=True))
    seconds = [row.latency_seconds for row in rows if row.latency_seconds is not None]
    if seconds:
        results.append(
            MetricResult(
                name=metric_names.LATENCY_SECONDS,
                family=MetricFamily.LATENCY,
                model=model,
                estimate=median_estimate(seconds),
                unit="s",
                higher_is_better=False,
            )
        )
    return results


def median_estimate(values: Sequence[float]) -> Estimate:
    """The median with a 95 % interval that assumes nothing of the distribution.

    The interval lies between two order statistics; its coverage is binomial. With fewer than six
    values it is their whole range and covers less. Source: Conover 1999, Practical Nonparametric
    Statistics, section 3.2.
    """
    ordered, n = sorted(values), len(values)
    below, rank = 0.0, 0
    # The largest rank r with P(Binomial(n, 1/2) < r) <= 2.5 %.
    while rank < n // 2 and (below := below + math.comb(n, rank) / 2**n) <= 0.025:
        rank += 1
    place = max(rank - 1, 0)
    return Estimate(
        value=statistics.median(ordered), low=ordered[place], high=ordered[n - 1 - place], n=n
    )


def _per_group(model: str, name: str, estimates: Mapping[str, Estimate]) -> list[MetricResult]:
    return [
        MetricResult(
            name=name, family=MetricFamily.QUALITY, model=model, group=group, estimate=estimate
        )
        for group, estimate in estimates.items()
    ]
