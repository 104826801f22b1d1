"""Items that ask for what the agent cannot answer."""

from archon_contracts.formats import PredictionRow
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.answerable import MAX_IDS, MAX_TARGETS
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role
from tests.unit.evaluator.comparison.test_class_recall import predict

ANSWERS = ["a", "b"]
FITTING = ["a", "b"] * 20


def evaluate(
    targets: list[str], candidate: list[PredictionRow], deployed: list[PredictionRow]
) -> EvaluationReport:
    assert [row.target for row in candidate] == targets
    return build_evaluation_report(
        {Role.CANDIDATE: candidate, Role.DEPLOYED: deployed},
        Role.DEPLOYED,
        GatePolicy(),
        answers=ANSWERS,
    )


def test_items_that_ask_for_no_answer_of_the_agent_are_not_scored_and_named() -> None:
    targets = [*FITTING, "Refund", "Refund", "c"]
    right, wrong = predict(targets, [*FITTING, "a", "a", "a"]), predict(targets, ["x"] * 43)

    found = evaluate(targets, right, wrong)

    assert found.passed
    assert found.estimates_of("accuracy")["candidate"]["all"].n == len(FITTING)
    assert found.unscored_items == 3
    assert [(each.target, each.items, each.ids) for each in found.unscored_targets] == [
        ("Refund", 2, ("i40", "i41")),
        ("c", 1, ("i42",)),
    ]
    assert any("3 of 43 items are not scored" in reason for reason in found.reasons)


def test_a_label_that_was_taken_from_the_agent_does_not_count_as_lost() -> None:
    targets = [*FITTING, *["withdrawn"] * 40]
    candidate = predict(targets, [*FITTING, *["a"] * 40])
    deployed = predict(targets, [*["a"] * 40, *["withdrawn"] * 40])

    assert evaluate(targets, candidate, deployed).passed


def test_a_label_that_only_the_candidate_has_counts_against_the_deployed_version() -> None:
    targets = FITTING
    deployed = predict(targets, ["a"] * 40)  # it knows no "b" yet

    found = evaluate(targets, predict(targets, FITTING), deployed)

    assert found.passed
    assert found.comparison["all"].difference.n == 40


def test_what_is_named_of_a_suite_of_nothing_but_misfits_is_bounded() -> None:
    targets = [*FITTING, *(f"t{n % 50}" for n in range(5_000))]
    rows = predict(targets, ["a"] * len(targets))

    found = evaluate(targets, rows, rows)

    assert found.unscored_items == 5_000
    assert len(found.unscored_targets) == MAX_TARGETS
    assert all(len(each.ids) == MAX_IDS for each in found.unscored_targets)
