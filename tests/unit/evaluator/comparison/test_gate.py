import random
from typing import Any

import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import FastPathPolicy, GatePolicy, UndecidedGroups
from services.evaluator.comparison.gate import (
    HIDDEN_GROUPS,
    build_rules,
    build_update_rules,
    decide_gate,
)
from services.evaluator.comparison.group_rule import NoGroupRegression
from services.evaluator.comparison.paired_tests import compare, compare_hidden_groups


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
    candidate: list[PredictionRow], deployed: list[PredictionRow], **gate: Any
) -> tuple[bool, str]:
    comparisons = {
        ACCURACY: compare(candidate, deployed),
        HIDDEN_GROUPS: compare_hidden_groups(candidate, deployed),
    }
    decision = decide_gate(comparisons, build_rules(GatePolicy(**gate), deployed=True))
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


@pytest.mark.parametrize(
    ("policy", "passes"), [("accept", True), ("review", True), ("reject", False)]
)
def test_a_loss_over_the_limit_that_may_be_chance_is_left_to_the_policy(
    policy: str, passes: bool
) -> None:
    candidate = _items(*[False] * 3, *[True] * 1, *[True] * 36, group="old")
    deployed = _items(*[True] * 3, *[False] * 1, *[True] * 36, group="old")
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")

    passed, why = _decide(
        candidate + gain[0], deployed + gain[1], maximum_forgetting=0.02, undecided_groups=policy
    )

    assert passed is passes
    assert "of 40 items, too few to show a loss beyond the limit" in why


def test_an_undecided_group_is_a_reason_for_a_review_where_the_policy_says_so() -> None:
    rows = _answers(37, 40, "old"), _answers(40, 40, "old")
    comparisons = {ACCURACY: compare(*rows)}

    reasons = [
        NoGroupRegression(ACCURACY, 0.02, policy).find_review_reasons(comparisons)
        for policy in UndecidedGroups
    ]

    assert [len(each) for each in reasons] == [0, 1, 0]


def test_a_better_candidate_passes_whatever_the_number_of_groups() -> None:
    """Truly five points better everywhere, 40 groups of 30: some lose at random."""
    chance, passes, trials = random.Random(1), 0, 20
    for _ in range(trials):
        ours, theirs = [], []
        for name in range(40):
            draws = [chance.random() for _ in range(30)]
            # A tenth of the items is gained, a twentieth is lost.
            ours += _items(*[draw < 0.85 for draw in draws], group=str(name))
            before = [draw < 0.75 or 0.85 <= draw < 0.90 for draw in draws]
            theirs += _items(*before, group=str(name))
        passes += _decide(ours, theirs)[0]

    assert passes >= 0.9 * trials


def test_a_group_that_truly_loses_is_found_among_many() -> None:
    steady = [(f"g{n}", _answers(24, 30, f"g{n}")) for n in range(9)]
    rows = [row for _, each in steady for row in each]
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")

    passed, why = _decide(
        rows + _answers(180, 225, "old") + gain[0], rows + _answers(205, 225, "old") + gain[1]
    )

    assert not passed
    assert "group 'old' loses 11.1%" in why


def test_a_gain_on_a_new_topic_counts_where_it_is_lost_in_the_whole() -> None:
    noise = _items(*[True, False] * 150, group="old"), _items(*[False, True] * 150, group="old")
    topic = _answers(12, 12, "new"), _answers(0, 12, "new")

    passed, why = _decide(noise[0] + topic[0], noise[1] + topic[1])

    assert passed
    assert "in group 'new'" in why


def test_the_reasons_say_what_loss_would_have_been_found() -> None:
    rows = _answers(200, 225, "old")
    gain = _answers(90, 100, "new"), _answers(40, 100, "new")

    _, why = _decide(rows + gain[0], rows + gain[1])

    assert "with the 225 items of 'old' a loss of" in why or "of 'new' a loss of" in why
    assert "points would have been found in 80 %" in why


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


def test_many_small_groups_cannot_lose_a_little_each() -> None:
    gain = _answers(190, 200, "new"), _answers(60, 200, "new")
    ours = [row for n in range(8) for row in _answers(12, 20, f"rare {n}")]
    theirs = [row for n in range(8) for row in _answers(16, 20, f"rare {n}")]

    passed, why = _decide(ours + gain[0], theirs + gain[1])

    assert not passed
    assert "all small groups together loses 20.0% of 160 items" in why


def test_items_without_a_group_are_guarded_by_their_target() -> None:
    def asked(target: str, right: int, of: int) -> list[PredictionRow]:
        return [
            row.model_copy(update={"id": f"{target} {row.id}", "target": target})
            for row in _answers(right, of, "")
        ]

    passed, why = _decide(
        asked("refund", 10, 50) + asked("status", 190, 200),
        asked("refund", 48, 50) + asked("status", 60, 200),
    )

    assert not passed
    assert "target 'refund' loses 76.0% of 50 items" in why


def _decide_update(
    candidate: list[PredictionRow],
    deployed: list[PredictionRow],
    *,
    before: int = 0,
    after: int = 1,
    items: int = 1,
) -> tuple[bool, str]:
    comparisons = {
        ACCURACY: compare(candidate, deployed),
        HIDDEN_GROUPS: compare_hidden_groups(candidate, deployed),
    }
    rules = build_update_rules(
        GatePolicy(), FastPathPolicy(), right_before=before, right_after=after, items=items
    )
    decision = decide_gate(comparisons, rules)
    return decision.passed, "; ".join(decision.reasons)


def test_an_update_that_learnt_its_correction_and_loses_nothing_passes() -> None:
    passed, why = _decide_update(_answers(80, 100, "old"), _answers(80, 100, "old"))

    assert passed
    assert "of 1 corrections 1 are answered right, 0 before" in why


@pytest.mark.parametrize(
    ("before", "after", "items", "reason"),
    [
        (0, 0, 1, "of 1 corrections the candidate answers 0 right, the deployed version 0"),
        (2, 1, 3, "of 3 corrections the candidate answers 1 right, the deployed version 2"),
        (3, 3, 3, "the deployed version answers all 3 corrections already"),
    ],
)
def test_an_update_that_learnt_nothing_is_refused(
    before: int, after: int, items: int, reason: str
) -> None:
    old = _answers(80, 100, "old")

    assert _decide_update(old, old, before=before, after=after, items=items) == (False, reason)


def test_an_update_that_costs_more_than_it_may_is_refused() -> None:
    passed, why = _decide_update(_answers(78, 100, ""), _answers(80, 100, ""))

    assert not passed
    assert "accuracy falls by 2.0% of 100 items, more than the 1.0% that it may lose" in why


def test_an_update_that_a_group_pays_for_is_refused() -> None:
    candidate = _answers(80, 100, "old") + _answers(180, 200, "other")
    deployed = _answers(90, 100, "old") + _answers(170, 200, "other")

    passed, why = _decide_update(candidate, deployed)

    assert not passed
    assert "group 'old' loses 10.0%" in why
