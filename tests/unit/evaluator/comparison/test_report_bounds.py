"""A report fits into one record, whatever the suite names."""

import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.comparison.report_bounds import MAX_GROUPS, shorten
from services.evaluator.domain import EvaluationReport, Role

RECORD_BYTES = 900_000
"""Below the megabyte that a record may have; the event repeats the accuracies."""
LONG = "\U0001f600" * 400


def _rows(right: set[int], groups: int, n: int = 3_000) -> list[PredictionRow]:
    return [
        PredictionRow(
            id=f"{LONG}{number}",
            group=f"g{number % groups}{LONG}",
            target=f"t{number % groups}{LONG}",
            output="x",
            score=1.0,
            correct=number in right,
            correct_at_k=number in right,
        )
        for number in range(n)
    ]


def _report(now: set[int], before: set[int], groups: int) -> EvaluationReport:
    answers = {f"t{number}{LONG}" for number in range(groups - 5)}
    return build_evaluation_report(
        {Role.CANDIDATE: _rows(now, groups), Role.DEPLOYED: _rows(before, groups)},
        Role.DEPLOYED,
        GatePolicy(),
        answers=answers,
    )


@pytest.mark.parametrize("groups", [40, 2_000])
@pytest.mark.parametrize("lost", [True, False])
def test_a_report_of_many_long_names_fits_into_a_record(groups: int, lost: bool) -> None:
    some, all_items = set(range(0, 3_000, 2)), set(range(3_000))

    found = _report(some if lost else all_items, all_items if lost else some, groups)

    accuracies = str(found.estimates_of(ACCURACY))
    assert len(found.model_dump_json().encode()) + len(accuracies.encode()) < RECORD_BYTES
    assert found.passed is not lost


def test_the_groups_that_lost_most_are_shown_and_the_others_counted() -> None:
    everything = set(range(3_000))
    lost = {number for number in everything if number % 500 == 7}

    found = _report(everything - lost, everything, 500)

    assert len(found.comparison) == MAX_GROUPS + 1
    worst = min(found.comparison, key=lambda name: found.comparison[name].difference.value)
    assert worst.startswith("g7")
    assert f"{500 - 5 - MAX_GROUPS} groups that lost less are not shown" in found.reasons


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert shorten("a" * 500) != shorten("a" * 501)
    assert shorten("short") == "short"
