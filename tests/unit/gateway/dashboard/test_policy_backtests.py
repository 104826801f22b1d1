"""What a changed trigger would have done, beside the one in force."""

from datetime import UTC, datetime, timedelta

from archon_contracts.values import TriggerPolicy
from services.gateway.dashboard.policy_backtests import MAX_ANSWERS, compare_triggers
from services.gateway.views.curriculum import FeedbackHistoryView, HistoryHourView

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFTEN = TriggerPolicy(minimum_feedback=100, cooldown_seconds=0)
RARELY = TriggerPolicy(minimum_feedback=400, maximum_feedback=1000, cooldown_seconds=0)


def history_of(*answers: int) -> FeedbackHistoryView:
    hours = tuple(
        HistoryHourView(hour=NOON + timedelta(hours=n), answers=count, wrong=count // 5)
        for n, count in enumerate(answers)
    )
    return FeedbackHistoryView(hours=hours, deployed_at=(), training_seconds=60)


def test_a_higher_minimum_retrains_less_often() -> None:
    found = compare_triggers(history_of(*[100] * 8), OFTEN, RARELY)

    assert (found.before.retrains, found.after.retrains) == (8, 2)
    assert found.after.reasons == (("count", 2),)
    assert found.after.newest == (NOON + timedelta(hours=8), NOON + timedelta(hours=4))
    assert found.before.training_seconds == 480
    assert (found.answers, found.since, found.is_cut) == (800, NOON, False)


def test_without_feedback_nothing_would_have_fired() -> None:
    found = compare_triggers(history_of(), OFTEN, RARELY)

    assert (found.before.retrains, found.before.accuracy, found.since) == (0, None, None)


def test_of_a_flood_the_newest_hours_are_replayed() -> None:
    found = compare_triggers(history_of(10, 10 * MAX_ANSWERS), RARELY, RARELY)

    assert (found.answers, found.is_cut) == (MAX_ANSWERS, True)
    assert found.since == NOON + timedelta(hours=1)
