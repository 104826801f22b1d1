"""What a metric is: a name, what it is about, and a pure function from evidence to measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from archon_contracts.events import FeedbackCounts
from archon_contracts.formats import CaseResult
from archon_contracts.values import ALL_ITEMS, Estimate, MetricFamily


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that metrics are computed from; what is not known is empty or None."""

    cases: Sequence[CaseResult] = ()
    answering_seconds: float | None = None
    """Time that all cases took together [s], those answered at once counted once."""
    feedback: FeedbackCounts | None = None
    """Counters of production feedback on the version, all hours together."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure with its interval, or why there is none; `unscored` items are in no figure."""

    estimate: Estimate | None
    unscored: int = 0
    reason: str = ""


Measure = Callable[[Evidence], Mapping[str, Measurement]]
"""From evidence to one measurement per group: `all`, and groups or classes of the items."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `measure` is pure: no clock, no file and no unseeded randomness."""

    name: str
    family: MetricFamily
    summary: str
    """What the figure is, in one phrase for a table."""
    measure: Measure
    unit: str = "1"
    higher_is_better: bool = True
    specification: Sequence[str] = field(default=())
    """The metrics of the specification that it is the figure for."""


def by_group(measure: Callable[[Sequence[CaseResult]], Measurement]) -> Measure:
    """A function of cases as a metric over all items and in each of their groups."""

    def measure_groups(evidence: Evidence) -> Mapping[str, Measurement]:
        groups: dict[str, list[CaseResult]] = {}
        for case in evidence.cases:
            if case.group and case.group != ALL_ITEMS:
                groups.setdefault(case.group, []).append(case)
        found = {ALL_ITEMS: measure(evidence.cases)}
        for name in sorted(groups):
            measurement = measure(groups[name])
            # A group that the metric does not speak of is no gap in the figures.
            if measurement.estimate is not None:
                found[name] = measurement
        return found

    return measure_groups


def overall(measure: Callable[[Sequence[CaseResult]], Measurement]) -> Measure:
    """A function of cases as a metric over all of them alone."""
    return lambda evidence: {ALL_ITEMS: measure(evidence.cases)}
