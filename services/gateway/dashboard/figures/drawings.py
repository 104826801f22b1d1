"""Geometry of curves and of the waterfall: pure. Lengths are the units of their SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from archon_contracts.metric_names import TRAIN_GRADIENT_NORM, TRAIN_LEARNING_RATE, TRAIN_LOSS
from services.gateway.domain import SpanView
from services.gateway.reports.charts import AxisTick, choose_ticks
from services.gateway.views.metrics import MetricSample

WIDTH: Final = 520.0
HEIGHT: Final = 210.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 10.0, 10.0, 24.0
MAX_CHARTS: Final = 12
MAX_SPANS: Final = 300
WATERFALL_WIDTH: Final = 1000.0
SHORTEST_BAR: Final = 3.0
"""A span of a microsecond is still seen."""
FIRST: Final = (TRAIN_LOSS, TRAIN_LEARNING_RATE, TRAIN_GRADIENT_NORM)


@dataclass(frozen=True, slots=True)
class ChartCurve:
    """One metric of a chart: its polyline, and its place among the chart's colours."""

    label: str
    number: int
    path: str
    last: float


@dataclass(frozen=True, slots=True)
class CurveChart:
    """One chart: metrics of one unit over the steps of an attempt."""

    title: str
    attempt: int
    curves: tuple[ChartCurve, ...]
    x_ticks: tuple[AxisTick, ...]
    y_ticks: tuple[AxisTick, ...]
    data: dict[str, Any]
    """For the interactive chart: {"x": steps, "series": [{"label", "values"}]}."""


def draw_charts(points: Sequence[MetricSample]) -> list[CurveChart]:
    """A chart per figure of the newest attempt with two points or more; all losses are in one."""
    found: defaultdict[str, defaultdict[str, dict[int, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    attempt = max((point.attempt for point in points), default=0)
    for point in points:
        if point.attempt < attempt:
            continue
        title = "loss" if point.name.endswith("/loss") else point.name
        found[title][point.name][point.step] = point.value
    charts = {
        title: {name: values for name, values in metrics.items() if len(values) > 1}
        for title, metrics in found.items()
    }
    shown = sorted((title for title, metrics in charts.items() if metrics), key=_rank)
    return [_draw(title, attempt, charts[title]) for title in shown[:MAX_CHARTS]]


def draw_overlay(runs: Sequence[tuple[str, Sequence[MetricSample]]]) -> list[CurveChart]:
    """A chart per metric with a curve per run, of its newest attempt; runs have labels.

    Runs with more steps go further to the right: the axis is the same for all.
    """
    charts: defaultdict[str, dict[str, dict[int, float]]] = defaultdict(dict)
    for label, points in runs:
        attempt = max((point.attempt for point in points), default=0)
        for point in points:
            if point.attempt == attempt:
                charts[point.name].setdefault(label, {})[point.step] = point.value
    found = {
        title: {label: values for label, values in curves.items() if len(values) > 1}
        for title, curves in charts.items()
    }
    shown = sorted((title for title, curves in found.items() if curves), key=_rank)
    labels = [label for label, _ in runs]
    return [_draw(title, 0, found[title], labels) for title in shown[:MAX_CHARTS]]


def _rank(title: str) -> tuple[int, str]:
    """Losses first, then what validation found, then how the training went."""
    if title == "loss":
        return 0, title
    if title.startswith("validation/"):
        return 1, title
    return (2 if title in FIRST else 3), title


def _draw(
    title: str,
    attempt: int,
    metrics: dict[str, dict[int, float]],
    labels: Sequence[str] | None = None,
) -> CurveChart:
    """With `labels`, a curve has the colour of its label's place, in every chart the same."""
    numbers = {label: number for number, label in enumerate(labels or sorted(metrics))}
    steps = sorted({step for values in metrics.values() for step in values})
    heights = [value for values in metrics.values() for value in values.values()]
    x_ticks, y_ticks = (
        choose_ticks(steps[0], steps[-1]),
        choose_ticks(min(heights), max(heights)),
    )
    low, high = min(y_ticks[0], *heights), max(y_ticks[-1], *heights)

    def x(step: float) -> float:
        span = (steps[-1] - steps[0]) or 1
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (step - steps[0]) / span, 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / ((high - low) or 1), 1)

    curves = [
        ChartCurve(
            label=name,
            number=numbers[name],
            path=" ".join(f"{x(step):g},{y(value):g}" for step, value in values.items()),
            last=list(values.values())[-1],
        )
        for name, values in sorted(metrics.items(), key=lambda each: numbers[each[0]])
    ]
    series = [
        {
            "label": curve.label,
            "color": curve.number % 4,
            "values": [metrics[curve.label].get(step) for step in steps],
        }
        for curve in curves
    ]
    return CurveChart(
        title=title,
        attempt=attempt,
        curves=tuple(curves),
        x_ticks=tuple(AxisTick(x(t), f"{t:g}") for t in x_ticks if steps[0] <= t <= steps[-1]),
        y_ticks=tuple(AxisTick(y(t), f"{t:.4g}") for t in y_ticks),
        data={"x": steps, "series": series},
    )


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """A span: how deep it lies, and its bar on an axis that all rows share."""

    span: SpanView
    depth: int
    color: int
    x: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class TraceDrawing:
    """A trace, children below their parents; `hidden` spans did not fit."""

    rows: tuple[WaterfallRow, ...]
    hidden: int
    seconds: float


def draw_waterfall(spans: Sequence[SpanView], services: Sequence[str]) -> TraceDrawing:
    """The first spans of a trace in the order of a tree."""
    if not spans:
        return TraceDrawing((), 0, 0.0)
    start = min(span.started_at for span in spans)
    total = max((span.ended_at - start).total_seconds() for span in spans) or 1e-6
    rows = []
    for span, depth in _walk(spans):
        offset = (span.started_at - start).total_seconds()
        seconds = max((span.ended_at - span.started_at).total_seconds(), 0.0)
        width = max(WATERFALL_WIDTH * seconds / total, SHORTEST_BAR)
        x = min(WATERFALL_WIDTH * offset / total, WATERFALL_WIDTH - width)
        color = services.index(span.service) % 8
        rows.append(WaterfallRow(span, depth, color, round(x, 1), round(width, 1), seconds))
    return TraceDrawing(tuple(rows[:MAX_SPANS]), max(len(rows) - MAX_SPANS, 0), total)


def _walk(spans: Sequence[SpanView]) -> list[tuple[SpanView, int]]:
    """Spans in the order of a tree with their depths, without recursion: a trace may be deep."""
    known = {span.span_id for span in spans}
    children: defaultdict[str | None, list[SpanView]] = defaultdict(list)
    for span in spans:
        # An orphan, whose parent was not stored, is shown as a root.
        children[span.parent_id if span.parent_id in known else None].append(span)
    found: list[tuple[SpanView, int]] = []
    waiting = [(span, 0) for span in _latest_first(children[None])]
    seen: set[str] = set()
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        found.append((span, depth))
        waiting += [(child, depth + 1) for child in _latest_first(children[span.span_id])]
    # Whoever writes spans writes their parents: those that name each other have no root.
    return found + [(span, 0) for span in spans if span.span_id not in seen]


def _latest_first(spans: Iterable[SpanView]) -> list[SpanView]:
    return sorted(spans, key=lambda span: span.started_at, reverse=True)
