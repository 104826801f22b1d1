"""Geometry of an experiment's curves: pure. Lengths are the units of their SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from archon_contracts.values import Estimate
from services.gateway.dashboard.figures.drawings import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from services.gateway.reports.charts import AxisTick, choose_ticks
from services.gateway.views.experiments import ExperimentMeasureView

Place = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class SequenceChart:
    """A curve over the scored answers of both versions.

    `band` are the corners of its interval, or nothing; `line` is the height that matters: no
    difference, or the evidence that ends the experiment. `steps` are where the candidate's part of
    the traffic changed.
    """

    path: str
    band: str
    line: float
    steps: tuple[AxisTick, ...]
    x_ticks: tuple[AxisTick, ...]
    y_ticks: tuple[AxisTick, ...]


def draw_difference(measures: Sequence[ExperimentMeasureView]) -> SequenceChart | None:
    """The difference of mean outcomes with its confidence sequence, in points.

    The first intervals may hold every difference there is: they are cut off where the widest of the
    later half ends. None: fewer than two looks had scored answers of both versions.
    """
    found: list[tuple[float, Estimate]] = [
        (_scored(each), each.difference) for each in measures if each.difference is not None
    ]
    if len(found) < 2:
        return None
    later = [estimate for _, estimate in found[len(found) // 2 :]]
    reach = max(abs(end) for each in later for end in (each.low, each.high, each.value))
    ticks = choose_ticks(-100 * reach, 100 * reach)
    low, high = min(ticks[0], -100 * reach), max(ticks[-1], 100 * reach)
    x, y = _x_axis([n for n, _ in found]), _y_axis(low, high)

    def points(ends: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x(n):g},{y(max(low, min(high, 100 * v))):g}" for n, v in ends)

    upper = [(n, each.high) for n, each in found]
    lower = [(n, each.low) for n, each in found]
    return SequenceChart(
        path=points([(n, each.value) for n, each in found]),
        band=points([*upper, *reversed(lower)]),
        line=y(0.0),
        steps=_steps(measures, x),
        x_ticks=_x_ticks([n for n, _ in found], x),
        y_ticks=tuple(AxisTick(y(tick), f"{tick:+g}" if tick else "0") for tick in ticks),
    )


def draw_harm(measures: Sequence[ExperimentMeasureView]) -> SequenceChart | None:
    """The logarithm of the evidence of harm, and the limit at which it ends the experiment."""
    found = [(_scored(each), each.harm_log_e_value) for each in measures if _scored(each)]
    if len(found) < 2:
        return None
    limit = measures[-1].harm_log_limit
    heights = [limit, *(value for _, value in found)]
    ticks = choose_ticks(min(heights), max(heights))
    x = _x_axis([n for n, _ in found])
    y = _y_axis(min(ticks[0], *heights), max(ticks[-1], *heights))
    return SequenceChart(
        path=" ".join(f"{x(n):g},{y(value):g}" for n, value in found),
        band="",
        line=y(limit),
        steps=_steps(measures, x),
        x_ticks=_x_ticks([n for n, _ in found], x),
        y_ticks=tuple(AxisTick(y(tick), f"{tick:.4g}") for tick in ticks),
    )


def _scored(measure: ExperimentMeasureView) -> float:
    return float(sum(each.scored for each in measure.arms))


def _x_axis(values: Sequence[float]) -> Place:
    first, span = values[0], (values[-1] - values[0]) or 1

    def place(value: float) -> float:
        inside = max(0.0, min(1.0, (value - first) / span))
        return round(LEFT + (WIDTH - LEFT - RIGHT) * inside, 1)

    return place


def _y_axis(low: float, high: float) -> Place:
    def place(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / ((high - low) or 1), 1)

    return place


def _x_ticks(values: Sequence[float], x: Place) -> tuple[AxisTick, ...]:
    ticks = choose_ticks(values[0], values[-1])
    return tuple(AxisTick(x(t), f"{t:g}") for t in ticks if values[0] <= t <= values[-1])


def _steps(measures: Sequence[ExperimentMeasureView], x: Place) -> tuple[AxisTick, ...]:
    """Where the candidate's part of the traffic grew, with the part that it grew to."""
    changes: list[AxisTick] = []
    for before, now in pairwise(measures):
        if now.treatment_proportion != before.treatment_proportion:
            changes.append(AxisTick(x(_scored(before)), f"{100 * now.treatment_proportion:g} %"))
    return tuple(changes)
