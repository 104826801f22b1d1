"""What a candidate must show on the protected reference set."""

import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.values import ALL_ITEMS, REFERENCE_ITEMS, GatePolicy
from services.evaluator.comparison.paired_tests import compare
from services.evaluator.comparison.reference_rule import NoReferenceLoss
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role
from services.evaluator.errors import Unscorable


def rows(right: int, of: int, group: str = "") -> list[PredictionRow]:
    """Answers to the items of one group, the first ones right."""
    return [
        PredictionRow(
            id=f"{group}{n}", group=group, output="x", score=1, correct=n < right, correct_at_k=True
        )
        for n in range(of)
    ]


def report(reference: tuple[int, int, int], minimum: int = 30) -> EvaluationReport:
    """A candidate that gains on the window; of the reference items it and the deployed version get
    so many right, of so many."""
    ours, theirs, items = reference
    predictions = {
        Role.CANDIDATE: rows(90, 100) + rows(ours, items, REFERENCE_ITEMS),
        Role.DEPLOYED: rows(10, 100) + rows(theirs, items, REFERENCE_ITEMS),
    }
    return build_evaluation_report(
        predictions, Role.DEPLOYED, GatePolicy(), minimum_reference_items=minimum
    )


def test_a_candidate_that_loses_nothing_there_needs_no_review() -> None:
    found = report((39, 40, 40))

    assert (found.passed, found.review_reasons) == (True, ())


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ((0, 0, 0), "there are 0 protected reference items and 30 are required"),
        ((29, 29, 29), "there are 29 protected reference items"),
        ((4, 39, 40), "loses 87.5% of 40 protected reference items, significantly"),
        ((37, 40, 40), "loses 7.5% of 40 protected reference items, more than the 5.0% allowed"),
    ],
    ids=["none", "too few", "ruined", "a little worse"],
)
def test_whatever_else_waits_for_a_person(reference: tuple[int, int, int], reason: str) -> None:
    found = report(reference)

    assert found.passed
    assert reason in "; ".join(found.review_reasons)


def test_trusted_items_need_no_reference_set_and_a_loss_there_still_counts() -> None:
    assert report((0, 0, 0), minimum=0).review_reasons == ()
    assert report((4, 39, 40), minimum=0).review_reasons != ()


def test_a_rejected_candidate_asks_nobody_for_a_review() -> None:
    predictions = {Role.CANDIDATE: rows(10, 100), Role.DEPLOYED: rows(90, 100)}

    found = build_evaluation_report(
        predictions, Role.DEPLOYED, GatePolicy(), minimum_reference_items=30
    )

    assert (found.passed, found.review_reasons) == (False, ())


def test_reference_items_are_no_part_of_the_gain() -> None:
    found = report((39, 40, 40))

    assert found.comparison[ALL_ITEMS].difference.n == 100
    assert found.comparison[REFERENCE_ITEMS].difference.n == 40


def test_reference_items_alone_are_no_evaluation() -> None:
    answers = rows(3, 4, REFERENCE_ITEMS)

    with pytest.raises(Unscorable):
        compare(answers, answers)


def test_no_reference_set_has_nothing_to_lose() -> None:
    assert NoReferenceLoss(0.05, 0).find_review_reasons(None) == ()
