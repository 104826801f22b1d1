"""From predictions to the report of an evaluation."""

import pytest

from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5, LATENCY_SECONDS
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.report import COMPARED_WITH_BASELINE, build_evaluation_report
from services.evaluator.domain import Role
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
