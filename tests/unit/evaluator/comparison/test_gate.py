import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.gate import build_rules, decide_gate
from services.evaluator.comparison.paired_tests import compare


def _items(*right: bool | None, group: str = "") -> list[PredictionRow]:
    return [
        PredictionRow(
            id=f"{group}-{n}", group=group, output="x", score=1, correct=value, correct_at_k=value
        )
        for n, value in enumerate(right)
    ]


def _answers(right: int, of: int, group: str) -> list[PredictionRow]:
    return _items(*[True] * right, *[False] * (of - right), group=group)


def _decide(
    candidate: list[PredictionRow], deployed: list[PredictionRow], **gate: float
) -> tuple[bool, str]:
    decision = decide_gate(
        {ACCURACY: compare(candidate, deployed)}, build_rules(GatePolicy(**gate), deployed=True)
    )
    return decision.passed, "; ".join(decision.reasons)


def test_a_significant_gain_that_costs_no_group_passes() -> None:
    passed, why = _decide(
        _answers(80, 100, "old") + _answers(70, 100, "new"),
        _answers(80, 100, "old") + _answers(50, 100, "new"),
    )

    assert passed
    assert "accuracy rises by 10.0%" in why


def test_an_insignificant_gain_is_refused() -> None:
    passed, why = _decide(_answers(52, 100, "new"), _answers(50, 100, "new"))

    assert not passed
    assert "may be chance" in why


def test_a_gain_paid_for_by_a_group_is_refused() -> None:
    passed, why = _decide(
        _answers(60, 100, "old") + _answers(90, 100, "new"),
        _answers(80, 100, "old") + _answers(30, 100, "new"),
    )

    assert not passed
    assert "group 'old' loses 20.0%, more than the 5.0% allowed" in why


def test_a_significant_loss_within_the_limit_passes_and_is_stated() -> None:
    lost = _items(*[False] * 9, *[True] * 216, group="old")
    before = _items(*[True] * 225, group="old")
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")

    passed, why = _decide(lost + gain[0], before + gain[1])

    assert passed
    assert "group 'old' loses 4.0% significantly, within the limit" in why


def test_a_small_group_is_refused_only_where_its_loss_is_surely_beyond_the_limit() -> None:
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")
    few = _decide(
        _items(*[False] * 2, *[True] * 8, group="rare") + gain[0],
        _items(*[True] * 10, group="rare") + gain[1],
    )
    all_lost = _decide(
        _items(*[False] * 20, group="rare") + gain[0],
        _items(*[True] * 20, group="rare") + gain[1],
    )

    assert few[0]
    assert "of 10 items, too few to show a loss beyond the limit" in few[1]
    assert not all_lost[0]


def test_an_insignificant_loss_over_the_limit_is_refused() -> None:
    candidate = _items(*[False] * 3, *[True] * 1, *[True] * 36, group="old")
    deployed = _items(*[True] * 3, *[False] * 1, *[True] * 36, group="old")
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")

    passed, why = _decide(candidate + gain[0], deployed + gain[1], maximum_forgetting=0.02)

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


def test_a_gain_below_the_required_one_is_refused() -> None:
    passed, why = _decide(_answers(60, 100, "new"), _answers(50, 100, "new"), minimum_gain=0.2)

    assert not passed
    assert "at least 20.0% is required" in why


def test_a_candidate_equal_to_the_baseline_never_passes() -> None:
    items = _answers(70, 100, "new")

    assert not _decide(items, items)[0]
