"""Every model on the same items at the gate, and the rule against the closed form."""

import pytest

from archon_contracts.commands import RunSummary
from archon_contracts.events import EvaluationArm, RejectionKind
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import (
    CLOSED_FORM_SECONDS,
    FINE_TUNED_SECONDS,
    SEED_DEVIATION,
)
from archon_contracts.values import GatePolicy, TrainingMethod
from services.evaluator.comparison.arms import build_arms
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role

ITEMS = 100
RUN = RunSummary(
    method=TrainingMethod.CONTINUAL,
    steps=40,
    training_seconds=40.0,
    metrics={CLOSED_FORM_SECONDS: 0.4, FINE_TUNED_SECONDS: 38.0},
)


def answers(right: int) -> list[PredictionRow]:
    """Predictions of a model that has the first items right."""
    return [
        PredictionRow(
            id=f"{n}",
            target="t",
            output="t" if n < right else "u",
            score=1,
            correct=n < right,
            correct_at_k=True,
            latency_seconds=0.01,
        )
        for n in range(ITEMS)
    ]


def report(
    candidate: int,
    closed_form: int | None,
    deployed: int = 40,
    *,
    withdrawal: bool = False,
    neighbours: int | None = None,
) -> EvaluationReport:
    """The report on models that have so many items right."""
    predictions = {Role.CANDIDATE: answers(candidate), Role.DEPLOYED: answers(deployed)}
    if closed_form is not None:
        predictions[Role.CLOSED_FORM] = answers(closed_form)
    predictions[Role.BASELINE] = answers(1)
    if neighbours is not None:
        predictions[Role.NEAREST_NEIGHBOURS] = answers(neighbours)
    return build_evaluation_report(
        predictions, Role.DEPLOYED, GatePolicy(), run=RUN, withdrawal=withdrawal
    )


@pytest.mark.parametrize("closed_form", [90, 86, 95])
def test_a_fine_tuned_candidate_not_better_than_the_closed_form_is_refused_with_both_figures(
    closed_form: int,
) -> None:
    found = report(90, closed_form)

    assert not found.passed
    assert found.rejection_kinds == (RejectionKind.NOT_ABOVE_CLOSED_FORM,)
    (reason,) = found.reasons
    assert f"fine-tuned 90.0% after 38.0 s, closed form {closed_form}.0% after 0.4 s" in reason
    assert "fine-tuning is not shown to be better" in reason


def test_one_that_is_significantly_better_passes_with_both_figures() -> None:
    found = report(90, 80)

    assert found.passed
    assert "fine-tuned 90.0% after 38.0 s, closed form 80.0% after 0.4 s" in "; ".join(
        found.reasons
    )


def test_faults_of_the_other_rules_are_stated_beside_it() -> None:
    found = report(30, 30)

    assert set(found.rejection_kinds) >= {
        RejectionKind.NO_GAIN,
        RejectionKind.NOT_ABOVE_CLOSED_FORM,
    }


def test_without_a_closed_form_beside_it_nothing_more_is_asked() -> None:
    assert report(60, None).passed


@pytest.mark.parametrize(
    ("candidate", "closed_form", "neighbours", "passed"),
    [
        (80, None, 90, False),
        (80, None, 82, True),  # two points of a closed form may be chance
        (80, None, 80, True),
        (80, 60, 78, False),  # which is not enough for what was fine-tuned
        (80, 60, 70, True),
    ],
)
def test_a_candidate_must_be_worth_its_cost_beside_its_nearest_training_items(
    candidate: int, closed_form: int | None, neighbours: int, passed: bool
) -> None:
    found = report(candidate, closed_form, neighbours=neighbours)

    assert found.passed is passed
    kinds = () if passed else (RejectionKind.NOT_ABOVE_NEIGHBOURS,)
    assert found.rejection_kinds == kinds
    text = "; ".join(found.reasons)
    assert f"{candidate}.0% beside {neighbours}.0% of the nearest training items" in text


def test_a_withdrawal_is_not_refused_for_its_nearest_training_items() -> None:
    assert report(40, None, withdrawal=True, neighbours=90).passed


def test_nearest_training_items_are_an_arm_without_metrics_of_groups() -> None:
    found = report(90, 80, neighbours=70)

    (arm,) = [arm for arm in found.arms if arm.model == "nearest_neighbours"]
    assert (arm.accuracy.value, arm.training_seconds) == (0.7, None)
    assert arm.difference is not None
    assert arm.difference.value == pytest.approx(0.2)
    shown = {each.group for each in found.results if each.model == "nearest_neighbours"}
    assert shown == {"all"}


def test_no_person_is_asked_to_accept_a_withdrawal_that_the_closed_form_can_do() -> None:
    found = report(40, 40, withdrawal=True)

    assert (found.passed, found.review_reasons) == (False, ())


def test_every_arm_is_shown_on_the_same_items_with_its_time() -> None:
    arms = {arm.model: arm for arm in report(90, 80).arms}

    assert list(arms) == ["candidate", "deployed", "closed_form", "baseline"]
    assert {arm.accuracy.n for arm in arms.values()} == {ITEMS}
    assert [arm.training_seconds for arm in arms.values()] == [38.0, None, 0.4, None]
    assert [arm.answer_seconds for arm in arms.values()] == [0.01] * 4
    assert arms["candidate"].difference is None
    assert arms["closed_form"].difference is not None
    assert arms["closed_form"].difference.value == pytest.approx(0.1)
    assert arms["closed_form"].p_value == pytest.approx(2 * 0.5**10)


def test_a_closed_form_that_took_a_place_has_its_own_time() -> None:
    taken = RUN.model_copy(update={"replaced": "fine-tuning is not shown to be better"})

    (arm,) = build_arms({Role.CANDIDATE: answers(50)}, taken)

    assert arm == EvaluationArm(
        model="candidate", accuracy=arm.accuracy, training_seconds=0.4, answer_seconds=0.01
    )


@pytest.mark.parametrize(("deviation", "passed"), [(0.04, True), (0.06, False)])
def test_a_gain_within_the_noise_of_the_seeds_is_refused(deviation: float, passed: bool) -> None:
    """Ten points better on these items, whatever a significance test says of one seed."""
    run = RUN.model_copy(update={"metrics": {**RUN.metrics, SEED_DEVIATION: deviation}})
    predictions = {
        Role.CANDIDATE: answers(90),
        Role.CLOSED_FORM: answers(80),
        Role.DEPLOYED: answers(40),
    }

    found = build_evaluation_report(predictions, Role.DEPLOYED, GatePolicy(), run=run)

    assert found.passed is passed
    text = "; ".join(found.reasons)
    assert f"seeds alone differ by up to {2 * deviation:.1%}" in text
    assert ("another seed may lose what this one gained" in text) is not passed
