"""From scores to the facts of an evaluation."""

import json

import pytest

from archon_contracts.values import GatePolicy
from services.evaluator.comparison.gate import AGAINST_BASE, findings_of
from services.evaluator.domain import Role, Scores
from services.evaluator.errors import Unscorable


def scores(
    outcomes: list[bool | None], *, first: int = 0, others: list[bool] | None = None
) -> Scores:
    """A model's predictions, one per outcome; the k best answers hold the right one always."""
    rows = [
        {"id": f"i{n}", "group": "old", "correct": right, "correct_at_k": right is not None or None}
        for n, right in enumerate(outcomes, start=first)
    ]
    rows += [
        {"id": f"n{n}", "group": "new", "correct": right, "correct_at_k": True}
        for n, right in enumerate(others or [])
    ]
    return Scores("".join(json.dumps(row) + "\n" for row in rows).encode(), 0.02)


GOOD, POOR = scores([True] * 60), scores([True] * 20 + [False] * 40)


def test_a_clear_gain_over_the_live_version_passes() -> None:
    found = findings_of({Role.CANDIDATE: GOOD, Role.LIVE: POOR}, Role.LIVE, GatePolicy())

    assert found.passed
    assert found.comparison["all"].candidate_only == 40
    assert found.accuracy["live"]["old"].value == pytest.approx(1 / 3)
    assert found.accuracy_at_5["live"]["all"].value == 1
    assert found.latency_seconds == {"candidate": 0.02, "live": 0.02}


def test_a_loss_is_rejected() -> None:
    found = findings_of({Role.CANDIDATE: POOR, Role.LIVE: GOOD}, Role.LIVE, GatePolicy())

    assert not found.passed
    assert found.reasons


def test_a_comparison_with_the_base_is_named_as_such() -> None:
    found = findings_of({Role.CANDIDATE: GOOD, Role.BASE: POOR}, Role.BASE, GatePolicy())

    assert found.passed
    assert found.reasons[-1] == AGAINST_BASE
    assert found.comparison == {}
    assert "base" in found.accuracy


@pytest.mark.parametrize(("reference", "passes"), [(Role.BASE, True), (Role.LIVE, False)])
def test_a_group_can_lose_only_what_a_live_version_gave_it(reference: Role, passes: bool) -> None:
    better_but_in_one_group = scores([True] * 60, others=[False] * 10)
    before = scores([True] * 20 + [False] * 40, others=[True] * 10)

    found = findings_of(
        {Role.CANDIDATE: better_but_in_one_group, reference: before}, reference, GatePolicy()
    )

    assert found.passed is passes


@pytest.mark.parametrize(
    ("candidate", "live"),
    [(scores([None]), scores([None])), (scores([True]), scores([True], first=7))],
)
def test_what_cannot_be_compared_is_refused(candidate: Scores, live: Scores) -> None:
    with pytest.raises(Unscorable):
        findings_of({Role.CANDIDATE: candidate, Role.LIVE: live}, Role.LIVE, GatePolicy())
