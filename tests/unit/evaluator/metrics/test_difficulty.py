"""Difficulty by confidence: it ranks errors, and is calibrated on other cases."""

import random

import pytest

from archon_contracts.formats import CaseResult
from services.evaluator.metrics.difficulty import difficulty_auroc, difficulty_calibration_error
from services.evaluator.metrics.error_prediction import FEW_CASES, calibrate_difficulty
from tests.unit.evaluator.metrics.cases import case


def answered(count: int, seed: int = 0) -> list[CaseResult]:
    """Answers whose overstated confidence c is right with a probability of c squared."""
    choose, found = random.Random(seed), []
    for number in range(count):
        confidence = choose.uniform(0.2, 1.0)
        output = "a" if choose.random() < confidence**2 else "b"
        found.append(case(number, target="a", output=output, score=confidence))
    return found


def test_difficulty_is_the_rate_of_errors_though_confidence_is_overstated() -> None:
    error = difficulty_calibration_error.measure(answered(2_000)).estimate

    assert error is not None
    assert error.value < 0.05


def test_cases_with_less_confidence_are_more_often_wrong() -> None:
    area = difficulty_auroc.measure(answered(2_000)).estimate

    assert area is not None
    assert 0.75 < area.low < area.value < area.high < 0.9


def test_a_confidence_that_says_nothing_ranks_nothing() -> None:
    same = [each.model_copy(update={"score": 0.5}) for each in answered(100)]
    area = difficulty_auroc.measure(same).estimate

    assert area is not None
    assert area.value == 0.5


@pytest.mark.parametrize("module", [difficulty_auroc, difficulty_calibration_error])
def test_too_few_errors_give_no_figure(module: object) -> None:
    right = [case(number, target="a", output="a", score=0.9) for number in range(50)]

    assert module.measure(right).estimate is None  # type: ignore[attr-defined]  # a module
    assert module.measure(right).reason == FEW_CASES  # type: ignore[attr-defined]  # a module
    with pytest.raises(ValueError, match="fewer than 10"):
        calibrate_difficulty([(0.9, True)] * 50)
