"""Losses that were allowed one by one and add up."""

from archon_contracts.formats import PredictionRow
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.recent_versions import find_accumulated_losses
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import Role


def answered(old: int, new: int, *, group: str = "old", size: int = 100) -> list[PredictionRow]:
    """A model that gets so many items of either group right."""
    return [
        PredictionRow(
            id=f"{name} {n}", group=name, target="x" if name else "", output="x", score=1,
            correct=n < right, correct_at_k=n < right,
        )
        for name, right in ((group, old), ("new", new))
        for n in range(size)
    ]  # fmt: skip


STEPS = [answered(100, 0), answered(96, 30), answered(92, 60), answered(88, 90)]


def test_a_ratchet_of_allowed_losses_waits_for_a_person() -> None:
    *recent, deployed, candidate = STEPS
    models = {Role.CANDIDATE: candidate, Role.DEPLOYED: deployed}

    alone = build_evaluation_report(models, Role.DEPLOYED, GatePolicy())
    beside = build_evaluation_report(models, Role.DEPLOYED, GatePolicy(), recent=recent)

    assert (alone.passed, alone.review_reasons) == (True, ())
    assert beside.passed
    assert len(beside.review_reasons) == 1
    assert "old lost 12.0% of 100 items" in beside.review_reasons[0]


def test_a_loss_that_is_within_the_limit_since_all_recent_versions_is_allowed() -> None:
    assert find_accumulated_losses(STEPS[1], STEPS[:1], GatePolicy()) == ()


def test_the_best_of_recent_versions_counts() -> None:
    good, poor = answered(100, 50), answered(80, 50)

    assert find_accumulated_losses(answered(80, 90), [poor, good], GatePolicy())


def test_targets_of_items_without_a_group_are_looked_at() -> None:
    before, after = answered(100, 0, group=""), answered(85, 90, group="")

    assert find_accumulated_losses(after, [before], GatePolicy())


def test_versions_that_were_scored_on_other_items_are_passed_over() -> None:
    assert find_accumulated_losses(STEPS[3], [answered(100, 0, size=99)], GatePolicy()) == ()
