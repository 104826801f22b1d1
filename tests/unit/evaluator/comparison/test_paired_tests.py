import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from archon_contracts.formats import PredictionRow
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.paired_tests import (
    NotPaired,
    accuracy,
    compare,
    decide_gate,
    mcnemar_p_value,
    paired_difference,
)
from services.evaluator.scoring.scorers import NothingScored

cells = st.integers(0, 400)


def _items(*right: bool | None, group: str = "") -> list[PredictionRow]:
    return [
        PredictionRow(
            id=f"{group}-{n}", group=group, output="", score=1, correct=value, correct_at_k=value
        )
        for n, value in enumerate(right)
    ]


def _answers(right: int, of: int, group: str) -> list[PredictionRow]:
    return _items(*[True] * right, *[False] * (of - right), group=group)


@given(cells, cells)
def test_mcnemars_p_is_that_of_the_exact_binomial_test(ours: int, theirs: int) -> None:
    assume(ours + theirs > 0)

    expected = binomtest(ours, ours + theirs, 0.5).pvalue

    assert mcnemar_p_value(ours, theirs) == pytest.approx(expected, rel=1e-6)


def test_models_that_never_differ_give_no_evidence() -> None:
    assert mcnemar_p_value(0, 0) == 1


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Published examples: Newcombe 1998, Statistics in Medicine 17, 2635-2650, table II, column
        # of method 10, with the cells both, candidate only, control only, neither.
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((0, 8, 0, 2), None, None),
    ],
)
def test_the_interval_of_a_paired_difference_is_newcombes(
    table: tuple[int, int, int, int], low: float | None, high: float | None
) -> None:
    found = paired_difference(*table)

    assert found.low <= found.value <= found.high
    if low is not None:
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(cells, cells, cells, cells)
def test_a_paired_interval_holds_its_difference_and_mirrors(a: int, b: int, c: int, d: int) -> None:
    assume(a + b + c + d > 0)

    ours, theirs = paired_difference(a, b, c, d), paired_difference(a, c, b, d)

    assert -1 <= ours.low <= ours.value <= ours.high <= 1
    assert ours.low == pytest.approx(-theirs.high)
    assert ours.value == pytest.approx(-theirs.value)


def test_accuracy_is_given_for_all_items_and_each_group() -> None:
    proportions = accuracy(_items(True, False, None, group="old") + _items(True, group="new"))

    assert {group: (e.value, e.n) for group, e in proportions.items()} == {
        "all": (pytest.approx(2 / 3), 3),
        "new": (1.0, 1),
        "old": (0.5, 2),
    }


def test_items_without_a_right_answer_alone_cannot_be_compared() -> None:
    with pytest.raises(NothingScored):
        compare(_items(None), _items(None))
    with pytest.raises(NothingScored):
        accuracy(_items(None))


@pytest.mark.parametrize("other", [_items(True), _items(True, True, True), []])
def test_answers_to_different_items_are_not_compared(other: list[PredictionRow]) -> None:
    with pytest.raises(NotPaired):
        compare(_items(True, True), other)


def test_a_comparison_counts_who_alone_was_right() -> None:
    found = compare(_items(True, True, False, False, True), _items(True, False, True, False, False))

    assert (found["all"].candidate_only, found["all"].deployed_only) == (2, 1)
    assert found["all"].difference.value == pytest.approx(0.2)


def _decide(
    candidate: list[PredictionRow], live: list[PredictionRow], **gate: float
) -> tuple[bool, str]:
    decision = decide_gate(compare(candidate, live), GatePolicy(**gate))
    return decision.passed, "; ".join(decision.reasons)


def test_a_gain_beyond_chance_that_costs_no_group_passes() -> None:
    passed, why = _decide(
        _answers(80, 100, "old") + _answers(70, 100, "new"),
        _answers(80, 100, "old") + _answers(50, 100, "new"),
    )

    assert passed
    assert "accuracy rises by 10.0%" in why


def test_a_gain_within_chance_is_refused() -> None:
    passed, why = _decide(_answers(52, 100, "new"), _answers(50, 100, "new"))

    assert not passed
    assert "may be chance" in why


def test_a_gain_paid_for_by_a_group_is_refused() -> None:
    passed, why = _decide(
        _answers(60, 100, "old") + _answers(90, 100, "new"),
        _answers(80, 100, "old") + _answers(30, 100, "new"),
    )

    assert not passed
    assert "group 'old' regresses significantly by 20.0%" in why


def test_a_loss_within_chance_but_over_the_limit_is_refused() -> None:
    candidate = _items(*[False] * 3, *[True] * 1, *[True] * 36, group="old")
    live = _items(*[True] * 3, *[False] * 1, *[True] * 36, group="old")
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")

    passed, why = _decide(candidate + gain[0], live + gain[1], maximum_forgetting=0.02)

    assert not passed
    assert "more than the 2.0% allowed" in why


def test_one_item_fewer_in_a_tiny_group_refuses_nobody() -> None:
    passed, _ = _decide(
        _items(False, True, group="rare") + _answers(90, 100, "new"),
        _items(True, True, group="rare") + _answers(40, 100, "new"),
    )

    assert passed


@pytest.mark.parametrize("right", [50, 40])
def test_no_gain_or_a_loss_is_refused(right: int) -> None:
    passed, why = _decide(_answers(right, 100, "new"), _answers(50, 100, "new"))

    assert not passed
    assert "accuracy changes by" in why


def test_a_gain_below_the_asked_one_is_refused() -> None:
    passed, why = _decide(_answers(60, 100, "new"), _answers(50, 100, "new"), minimum_gain=0.2)

    assert not passed
    assert "at least 20.0% is asked for" in why


def test_a_candidate_equal_to_the_baseline_never_passes() -> None:
    items = _answers(70, 100, "new")

    assert not decide_gate(compare(items, items), GatePolicy()).passed
