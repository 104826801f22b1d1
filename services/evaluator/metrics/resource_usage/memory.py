"""Peak memory of the answering process."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import Estimate, MetricFamily
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """The peak after the last answer [By]; an endpoint's is not known.

    A peak is read, not estimated from a sample: its interval is the figure itself.
    """
    known = [case.memory_bytes for case in cases if case.memory_bytes is not None]
    unscored = len(cases) - len(known)
    if not known:
        return Measurement(None, unscored, "the memory of the answering process is not known")
    peak = float(max(known))
    return Measurement(Estimate(value=peak, low=peak, high=peak, n=len(known)), unscored)


METRIC = Metric(
    name="memory",
    family=MetricFamily.RESOURCE_USAGE,
    summary="peak memory of the answering process",
    measure=overall(measure),
    unit="By",
    higher_is_better=False,
    specification=("Memory",),
)
