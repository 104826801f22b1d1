"""Curves and the waterfall as geometry."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dashboard.figures.drawings import (
    HEIGHT,
    MAX_SPANS,
    WATERFALL_WIDTH,
    WIDTH,
    draw_charts,
    draw_overlay,
    draw_waterfall,
)
from services.gateway.domain import SpanView
from services.gateway.views.metrics import MetricSample

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
finite = st.floats(min_value=-1e6, max_value=1e6)


def points(name: str, *values: float) -> list[MetricSample]:
    return [
        MetricSample(name=name, step=step, value=value, attempt=1)
        for step, value in enumerate(values)
    ]


def span(name: str, parent: str | None, start: float, seconds: float) -> SpanView:
    return SpanView(
        span_id=name,
        parent_id=parent,
        service="trainer",
        name=name,
        kind="INTERNAL",
        started_at=NOON + timedelta(seconds=start),
        ended_at=NOON + timedelta(seconds=start + seconds),
        status="OK",
        error=None,
        attributes={},
        links=[],
    )


def test_losses_share_a_chart_that_comes_first() -> None:
    charts = draw_charts(
        points("train/x", 1, 2) + points("validation/loss", 3, 2) + points("train/loss", 2, 1)
    )

    assert [chart.title for chart in charts] == ["loss", "train/x"]
    assert [curve.label for curve in charts[0].curves] == ["train/loss", "validation/loss"]
    assert charts[0].data["series"][0] == {"label": "train/loss", "color": 0, "values": [2, 1]}


def test_a_single_point_is_no_curve() -> None:
    assert draw_charts(points("train/loss", 1)) == []


def test_only_the_newest_attempt_is_shown() -> None:
    again = [MetricSample(name="train/loss", step=s, value=1, attempt=2) for s in (0, 1)]

    (chart,) = draw_charts(points("train/loss", 5, 4, 3) + again)

    assert (chart.attempt, chart.data["series"][0]["values"]) == (2, [1, 1])


def test_metrics_of_different_steps_share_an_axis() -> None:
    late = [MetricSample(name="validation/loss", step=s, value=1, attempt=1) for s in (1, 9)]

    (chart,) = draw_charts(points("train/loss", 3, 2) + late)

    assert chart.data["x"] == [0, 1, 9]
    assert chart.data["series"][1]["values"] == [None, 1, 1]


@given(st.lists(finite, min_size=2, max_size=40))
def test_curves_stay_inside_of_their_drawing(values: list[float]) -> None:
    (chart,) = draw_charts(points("train/loss", *values))

    places = [pair.split(",") for pair in chart.curves[0].path.split()]
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in places)


def test_children_stand_below_their_parents_in_the_order_of_time() -> None:
    spans = [
        span("child-2", "root", 5, 1),
        span("root", None, 0, 10),
        span("child-1", "root", 1, 2),
        span("orphan", "not stored", 8, 1),
    ]

    drawing = draw_waterfall(spans, ["trainer"])

    assert [(row.span.name, row.depth) for row in drawing.rows] == [
        ("root", 0),
        ("child-1", 1),
        ("child-2", 1),
        ("orphan", 0),
    ]
    assert drawing.rows[0].width == WATERFALL_WIDTH
    assert drawing.seconds == 10


def test_spans_that_name_each_other_as_parents_are_shown_once() -> None:
    drawing = draw_waterfall([span("a", "b", 0, 1), span("b", "a", 0, 1)], ["trainer"])

    assert [(row.span.name, row.depth) for row in drawing.rows] == [("a", 0), ("b", 0)]


def test_a_deep_and_long_trace_is_cut_and_says_so() -> None:
    chain = [span(str(n), str(n - 1) if n else None, n, 1) for n in range(MAX_SPANS + 50)]

    drawing = draw_waterfall(chain, ["trainer"])

    assert (len(drawing.rows), drawing.hidden) == (MAX_SPANS, 50)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(-5, 1e5)), min_size=1, max_size=20))
def test_bars_stay_inside_of_their_axis(times: list[tuple[float, float]]) -> None:
    drawing = draw_waterfall([span(str(n), None, *t) for n, t in enumerate(times)], ["trainer"])

    assert all(row.x >= 0 and row.x + row.width <= WATERFALL_WIDTH + 0.2 for row in drawing.rows)


def test_an_empty_trace_has_no_rows() -> None:
    assert draw_waterfall([], []).rows == ()


def test_runs_are_laid_over_each_other_and_keep_their_colour_in_every_chart() -> None:
    charts = draw_overlay(
        [
            ("1.0.0", [*points("train/loss", 3, 2, 1), *points("train/x", 1, 2)]),
            ("1.1.0", points("train/loss", 2, 1)),
        ]
    )

    assert [chart.title for chart in charts] == ["train/loss", "train/x"]
    assert [(curve.label, curve.number) for curve in charts[0].curves] == [
        ("1.0.0", 0),
        ("1.1.0", 1),
    ]
    assert charts[0].data["series"][1] == {"label": "1.1.0", "color": 1, "values": [2, 1, None]}
    assert [curve.label for curve in charts[1].curves] == ["1.0.0"]
