"""The curves of an experiment."""

from datetime import UTC, datetime
from typing import Any

from archon_contracts.rollouts.experiment import ArmReport
from archon_contracts.values import ArtifactRef, Estimate, ModelRef
from services.gateway.dashboard.figures.drawings import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from services.gateway.dashboard.figures.sequences import draw_difference, draw_harm
from services.gateway.views.experiments import ExperimentMeasureView

MODEL = ModelRef(version="1.0.0", artifact=ArtifactRef(uri="file:///m", digest="a" * 64))


def look(scored: int, low: float, high: float, **fields: Any) -> ExperimentMeasureView:
    arms = tuple(ArmReport(model=MODEL, scored=scored // 2) for _ in range(2))
    stated = {
        "measured_at": datetime(2026, 1, 1, tzinfo=UTC),
        "treatment_proportion": 0.5,
        "arms": arms,
        "difference": Estimate(value=(low + high) / 2, low=low, high=high, n=max(1, scored)),
        "harm_log_limit": 5.3,
    }
    return ExperimentMeasureView(**(stated | fields))


def points(path: str) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in path.split()]  # type: ignore[misc]


def test_the_difference_lies_in_its_band_and_both_in_the_frame() -> None:
    chart = draw_difference([look(10, -1, 1), look(100, -0.1, 0.3), look(200, 0.02, 0.2)])

    assert chart is not None
    curve, band = points(chart.path), points(chart.band)
    upper, lower = band[:3], band[3:][::-1]
    for (x, y), (_, top), (_, bottom) in zip(curve, upper, lower, strict=True):
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP <= top <= y <= bottom <= HEIGHT - BOTTOM
    # The last interval is above no difference, which is lower on the page.
    assert lower[-1][1] < chart.line
    assert upper[0][1] < chart.line < lower[0][1]


def test_where_the_traffic_grew_is_marked_with_its_part() -> None:
    chart = draw_difference(
        [look(10, -1, 1, treatment_proportion=0.25), look(20, -0.5, 0.5), look(30, -0.4, 0.4)]
    )

    assert chart is not None
    assert [step.label for step in chart.steps] == ["50 %"]
    assert chart.steps[0].place == LEFT


def test_evidence_that_ends_an_experiment_reaches_the_line() -> None:
    chart = draw_harm([look(10, -1, 1), look(20, -1, 1, harm_log_e_value=5.3)])

    assert chart is not None
    assert points(chart.path)[-1][1] == chart.line
    assert points(chart.path)[0][1] > chart.line


def test_one_look_is_no_curve_and_a_look_without_scores_no_point() -> None:
    unscored = look(0, -1, 1, difference=None)

    assert draw_difference([look(10, -1, 1), unscored]) is None
    assert draw_harm([unscored, look(10, -1, 1)]) is None
    assert draw_difference([]) is None


def test_equal_numbers_of_answers_divide_by_nothing() -> None:
    assert draw_difference([look(10, 0, 0), look(10, 0, 0)]) is not None
