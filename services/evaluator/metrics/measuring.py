"""Compute metrics from evidence: every figure has n and an interval, and a gap has a reason."""

from __future__ import annotations

from collections.abc import Iterable

from archon_contracts.formats import Unmeasured
from archon_contracts.values import MetricResult
from services.evaluator.metrics.metric import Evidence, Metric


def measure_all(
    metrics: Iterable[Metric], evidence: Evidence, *, model: str
) -> tuple[tuple[MetricResult, ...], tuple[Unmeasured, ...]]:
    """Results of all metrics, and what could not be measured with its reason.

    A metric that raises is such a gap: it takes none of the others with it.
    """
    results: list[MetricResult] = []
    gaps: list[Unmeasured] = []
    for metric in metrics:
        try:
            measured = metric.measure(evidence)
        # Written by others: whatever it raises is a fault of this metric alone.
        except Exception as error:  # noqa: BLE001
            reason = f"the metric raised {type(error).__name__}: {error}"
            gaps.append(Unmeasured(metric=metric.name, unscored=len(evidence.cases), reason=reason))
            continue
        for group, found in measured.items():
            if found.estimate is None:
                gaps.append(
                    Unmeasured(
                        metric=metric.name,
                        group=group,
                        unscored=found.unscored,
                        reason=found.reason,
                    )
                )
                continue
            results.append(
                MetricResult(
                    name=metric.name,
                    family=metric.family,
                    model=model,
                    group=group,
                    estimate=found.estimate,
                    unscored=found.unscored,
                    unit=metric.unit,
                    higher_is_better=metric.higher_is_better,
                )
            )
    return tuple(results), tuple(gaps)
