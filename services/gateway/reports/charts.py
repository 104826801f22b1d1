"""Geometry of the report's drawings, in the units of their SVG: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.formats import LearningCurve, TopicChange

INTERVAL_WIDTH: Final = 140.0
WIDEST: Final = 0.2
"""Differences beyond it end at the axis: one new topic would make all others invisible."""
SMALLEST_SPAN = 1e-300
CHART_WIDTH: Final = 640.0
CHART_HEIGHT: Final = 260.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 12.0, 34.0
"""Margins of a chart, in which its numbers stand."""


@dataclass(frozen=True, slots=True)
class IntervalMark:
    """A difference with its interval, on an axis that all rows share."""

    low: float
    value: float
    high: float
    zero: float


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A number beside an axis, and where it stands."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """One metric of the newest attempt, by step."""

    metric: str
    attempt: int
    path: str
    dots: tuple[tuple[float, float], ...]
    x_ticks: tuple[AxisTick, ...]
    y_ticks: tuple[AxisTick, ...]
    first: float
    last: float


def place_intervals(rows: Sequence[TopicChange]) -> list[IntervalMark]:
    """The marks of the rows; zero is in the middle, and the widest interval fills the axis."""
    ends = (abs(end) for row in rows for end in (row.difference.low, row.difference.high))
    reach = min(WIDEST, max(ends, default=0.0)) or WIDEST
    middle = INTERVAL_WIDTH / 2
    scale = (middle - 6) / reach

    def place(value: float) -> float:
        return round(middle + scale * max(-reach, min(reach, value)), 1)

    return [
        IntervalMark(
            place(row.difference.low),
            place(row.difference.value),
            place(row.difference.high),
            middle,
        )
        for row in rows
    ]


def draw_curves(curves: Sequence[LearningCurve]) -> list[LineChart]:
    """A chart for each metric that has at least two points in the newest attempt."""
    newest = max((curve.attempt for curve in curves), default=0)
    return [_draw(curve) for curve in curves if curve.attempt == newest and len(curve.points) > 1]


def _draw(curve: LearningCurve) -> LineChart:
    steps = [point.step for point in curve.points]
    values = [point.value for point in curve.points]
    x_ticks = choose_ticks(min(steps), max(steps))
    y_ticks = choose_ticks(min(values), max(values))
    x_low, x_high = min(steps), max(steps)
    y_low, y_high = min(y_ticks[0], *values), max(y_ticks[-1], *values)

    def x(step: float) -> float:
        width = CHART_WIDTH - LEFT - RIGHT
        return round(LEFT + width * (step - x_low) / ((x_high - x_low) or 1), 1)

    def y(value: float) -> float:
        height = CHART_HEIGHT - TOP - BOTTOM
        return round(TOP + height * (y_high - value) / ((y_high - y_low) or 1), 1)

    dots = tuple((x(point.step), y(point.value)) for point in curve.points)
    return LineChart(
        metric=curve.metric,
        attempt=curve.attempt,
        path=" ".join(f"{px:g},{py:g}" for px, py in dots),
        dots=dots,
        x_ticks=tuple(AxisTick(x(t), f"{t:g}") for t in x_ticks if x_low <= t <= x_high),
        y_ticks=tuple(AxisTick(y(t), f"{t:.4g}") for t in y_ticks),
        first=values[0],
        last=values[-1],
    )


def choose_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that span a range: steps of 1, 2 or 5 times a power of ten."""
    # Below the resolution of the labels, and of the arithmetic, values are one.
    if high - low < SMALLEST_SPAN:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    # From whole multiples: added up, steps of 0.1 would give 0.30000000000000004.
    return [round(number * step, 12) for number in range(first, last + 1)]
