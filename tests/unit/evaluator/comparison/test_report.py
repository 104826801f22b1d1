"""From predictions to the report of an evaluation."""

import pytest

from archon_contracts.events import RejectionKind
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5, LATENCY_SECONDS
from archon_contracts.values import NEW_LABEL_PREFIX, GatePolicy
from services.evaluator.comparison.report import COMPARED_WITH_BASELINE, build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role
from services.evaluator.errors import Unscorable


def _row(identifier: str, group: str, right: bool | None, among: bool | None) -> PredictionRow:
    return PredictionRow(
        id=identifier,
        group=group,
        output="x",
        score=1,
        correct=right,
        correct_at_k=among,
        latency_seconds=0.02,
    )


def scores(
    outcomes: list[bool | None], *, first: int = 0, others: list[bool] | None = None
) -> list[PredictionRow]:
    """A model's predictions, one per outcome; the k best answers hold the right one always."""
    return [
        *(
            _row(f"i{n}", "old", right, None if right is None else True)
            for n, right in enumerate(outcomes, start=first)
        ),
        *(_row(f"n{n}", "new", right, True) for n, right in enumerate(others or [])),
    ]


GOOD, POOR = scores([True] * 60), scores([True] * 20 + [False] * 40)


def test_a_clear_gain_over_the_deployed_version_passes() -> None:
    found = build_evaluation_report(
        {Role.CANDIDATE: GOOD, Role.DEPLOYED: POOR}, Role.DEPLOYED, GatePolicy()
    )

    assert found.passed
    assert found.comparison["all"].candidate_only == 40
    assert found.estimates_of(ACCURACY)["deployed"]["old"].value == pytest.approx(1 / 3)
    assert found.estimates_of(ACCURACY_AT_5)["deployed"]["all"].value == 1
    assert found.estimates_of(LATENCY_SECONDS)["candidate"]["all"].value == 0.02


def test_a_loss_is_rejected() -> None:
    found = build_evaluation_report(
        {Role.CANDIDATE: POOR, Role.DEPLOYED: GOOD}, Role.DEPLOYED, GatePolicy()
    )

    assert not found.passed
    assert found.reasons


def test_a_comparison_with_the_base_is_named_as_such() -> None:
    found = build_evaluation_report(
        {Role.CANDIDATE: GOOD, Role.BASELINE: POOR}, Role.BASELINE, GatePolicy()
    )

    assert found.passed
    assert found.reasons[-1] == COMPARED_WITH_BASELINE
    assert found.comparison == {}
    assert "baseline" in found.estimates_of(ACCURACY)


@pytest.mark.parametrize(("control", "passes"), [(Role.BASELINE, True), (Role.DEPLOYED, False)])
def test_group_regressions_count_only_against_a_deployed_version(
    control: Role, passes: bool
) -> None:
    better_but_in_one_group = scores([True] * 60, others=[False] * 10)
    before = scores([True] * 20 + [False] * 40, others=[True] * 10)

    found = build_evaluation_report(
        {Role.CANDIDATE: better_but_in_one_group, control: before}, control, GatePolicy()
    )

    assert found.passed is passes


@pytest.mark.parametrize(
    ("candidate", "deployed"),
    [(scores([None]), scores([None])), (scores([True]), scores([True], first=7))],
)
def test_what_cannot_be_compared_is_refused(
    candidate: list[PredictionRow], deployed: list[PredictionRow]
) -> None:
    with pytest.raises(Unscorable):
        build_evaluation_report(
            {Role.CANDIDATE: candidate, Role.DEPLOYED: deployed}, Role.DEPLOYED, GatePolicy()
        )


def of_new_labels(right: int) -> list[PredictionRow]:
    """Answers to four held-out items of each of three labels that the suite does not ask."""
    return [_row(f"h{n}", f"{NEW_LABEL_PREFIX}{n % 3}", n < right, True) for n in range(12)]


def on_new_labels(candidate: int, deployed: int, *, suite_loss: int = 0) -> EvaluationReport:
    """The report on models that differ in held-out items of new labels."""
    after = scores([False] * suite_loss + [True] * (60 - suite_loss)) + of_new_labels(candidate)
    before = scores([True] * 60) + of_new_labels(deployed)
    predictions = {Role.CANDIDATE: after, Role.DEPLOYED: before}
    return build_evaluation_report(predictions, Role.DEPLOYED, GatePolicy())


def test_a_window_of_labels_that_the_suite_does_not_ask_passes_by_their_gain() -> None:
    found = on_new_labels(12, 0)

    assert found.passed
    assert "in group 'new labels'" in found.reasons[0]
    accuracy = found.estimates_of(ACCURACY)["candidate"]
    # They are counted beside the suite, never in it.
    assert (accuracy["all"].n, accuracy[f"{NEW_LABEL_PREFIX}1"].n) == (60, 4)


def test_no_gain_on_new_labels_makes_up_for_a_loss_on_the_suite() -> None:
    assert not on_new_labels(12, 0, suite_loss=1).passed


def test_what_was_new_once_may_not_be_lost_later() -> None:
    found = on_new_labels(0, 12)

    assert RejectionKind.FORGETTING in found.rejection_kinds
    assert "new labels" in "; ".join(found.reasons)
