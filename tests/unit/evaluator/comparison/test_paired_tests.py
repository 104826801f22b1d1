import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5, LATENCY_SECONDS
from services.evaluator.comparison.paired_tests import (
    QUALITY_METRICS,
    compare,
    estimate_groups,
    measure,
)
from services.evaluator.errors import Unscorable


def _items(*right: bool | None, group: str = "") -> list[PredictionRow]:
    return [
        PredictionRow(
            id=f"{group}-{n}", group=group, output="x", score=1, correct=value, correct_at_k=value
        )
        for n, value in enumerate(right)
    ]


def test_accuracy_is_given_for_all_items_and_each_group() -> None:
    proportions = estimate_groups(
        _items(True, False, None, group="old") + _items(True, group="new"),
        QUALITY_METRICS[ACCURACY],
    )

    assert {group: (e.value, e.n) for group, e in proportions.items()} == {
        "all": (pytest.approx(2 / 3), 3),
        "new": (1.0, 1),
        "old": (0.5, 2),
    }


def test_items_without_a_right_answer_alone_cannot_be_compared() -> None:
    with pytest.raises(Unscorable):
        compare(_items(None), _items(None))
    with pytest.raises(Unscorable):
        measure("candidate", _items(None))


@pytest.mark.parametrize("other", [_items(True), _items(True, True, True), []])
def test_answers_to_different_items_are_not_compared(other: list[PredictionRow]) -> None:
    with pytest.raises(Unscorable):
        compare(_items(True, True), other)


def test_a_comparison_counts_who_alone_was_right() -> None:
    found = compare(_items(True, True, False, False, True), _items(True, False, True, False, False))

    assert (found["all"].candidate_only, found["all"].deployed_only) == (2, 1)
    assert found["all"].difference.value == pytest.approx(0.2)


def test_each_metric_of_a_model_is_named_with_its_family_and_unit() -> None:
    timed = [row.model_copy(update={"latency_seconds": 0.5}) for row in _items(True, False)]

    results = measure("candidate", timed)

    assert {(r.name, r.unit, r.higher_is_better, r.estimate.value) for r in results} == {
        (ACCURACY, "1", True, 0.5),
        (ACCURACY_AT_5, "1", True, 0.5),
        (LATENCY_SECONDS, "s", False, 0.5),
    }


def test_a_model_that_was_not_timed_has_no_latency() -> None:
    assert LATENCY_SECONDS not in {result.name for result in measure("candidate", _items(True))}
