"""Protected items and the mix of answers."""

import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.policy_rules import AnswerDrift, NeverRegress
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import Role


def rows(*answers: str, target: str = "yes") -> list[PredictionRow]:
    """One row per answer."""
    return [
        PredictionRow(
            id=str(n),
            target=target,
            output=a,
            score=1,
            correct=a == target,
            correct_at_k=a == target,
        )
        for n, a in enumerate(answers)
    ]


def test_one_protected_item_that_regresses_is_enough() -> None:
    rule = NeverRegress.of(["0", "2"], rows("no", "yes", "yes"), rows("yes", "no", "yes"))

    assert rule.find_faults({}) == ["1 of 2 protected items regress: '0'"]


def test_a_protected_item_that_was_wrong_before_and_one_that_is_missing_refuse_nobody() -> None:
    rule = NeverRegress.of(["0", "9"], rows("no"), rows("no"))

    assert rule.find_faults({}) == []
    assert (
        rule.describe_success({})
        == "all 1 protected items are kept; 1 protected items are not evaluated: '9'"
    )


@pytest.mark.parametrize(("maximum", "faults"), [(None, 0), (0.5, 0), (0.4, 1)])
def test_the_mix_of_answers_may_move_as_far_as_the_policy_says(
    maximum: float | None, faults: int
) -> None:
    drift = AnswerDrift.of(rows("yes", "yes", "", ""), rows("yes", "yes", "no", "no"), maximum)

    assert drift.distance == 0.5
    assert len(drift.find_faults({})) == faults
    assert "no answer +50.0%, 'no' -50.0%" in drift.describe_success({})


def test_equal_answers_say_nothing() -> None:
    drift = AnswerDrift.of(rows("yes", "no"), rows("no", "yes"), 0.0)

    assert (drift.find_faults({}), drift.describe_success({})) == ([], "")


def test_the_gate_refuses_a_gain_that_costs_a_protected_item() -> None:
    before = rows(*["yes"] * 10, *["no"] * 40)
    now = rows("no", *["yes"] * 49)
    predictions = {Role.CANDIDATE: now, Role.DEPLOYED: before}

    kept = build_evaluation_report(predictions, Role.DEPLOYED, GatePolicy(never_regress=("1",)))
    lost = build_evaluation_report(predictions, Role.DEPLOYED, GatePolicy(never_regress=("0",)))

    assert (kept.passed, lost.passed) == (True, False)
    assert lost.rejection_kinds == ("forgetting",)


def test_abstentions_and_impossible_answers_are_stated_beside_those_of_before() -> None:
    candidate, deployed = rows("yes", "yes", "", "maybe"), rows("yes", "", "", "no")

    stated = AnswerDrift.of(candidate, deployed, None, ["yes", "no"]).describe_success({})

    assert "no answer: 25.0% of the items, 50.0% before" in stated
    assert "answers that the candidate does not have: 25.0% of the items, 0.0% before" in stated
    free = AnswerDrift.of(rows("a text"), rows("a text"), None)
    assert free.describe_success({}) == ""
