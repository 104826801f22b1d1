"""When feedback is worth a retrain: counters in, a decision out. No scan, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from archon_contracts import triggers
from archon_contracts.events import TriggerReason
from archon_contracts.rules.bounds import MAX_SECONDS
from archon_contracts.triggers.rating_drop import WORST_RATING
from archon_contracts.triggers.stream import RatingSums
from archon_contracts.values import TriggerPolicy
from services.coordinator.feedback.stats import FeedbackStats
from shared.cron import next_time

MAX_DOUBLINGS: Final = 40
"""Of the backoff: beyond it any backoff is longer than any maximum."""


@dataclass(frozen=True, slots=True)
class TriggerDecision:
    """Fire now for `reason`, or begin an update or a withdrawal, or look again at `check_at`.

    None of them: wait for feedback.
    """

    reason: TriggerReason | None = None
    check_at: datetime | None = None
    update: bool = False
    explanation: str = field(default="", compare=False)
    """Why it fires, in a sentence."""
    withdrawal: bool = False
    """Whether to look for retracted feedback in the deployed version first."""

    def with_update(self) -> TriggerDecision:
        """The same, and an update begins now."""
        return replace(self, update=True)

    def without_start(self, known: datetime | None) -> TriggerDecision:
        """Nothing begins now; the earlier of its check and the known one stays."""
        decision = TriggerDecision(check_at=known)
        return decision if self.check_at is None else decision.check_by(self.check_at)

    def check_by(self, moment: datetime) -> TriggerDecision:
        """The same, looked at again at that moment or before."""
        return replace(
            self, check_at=moment if self.check_at is None else min(self.check_at, moment)
        )


def decide(stats: FeedbackStats, policy: TriggerPolicy, now: datetime) -> TriggerDecision:
    """Whether a retrain begins now; constant time.

    A busy agent waits for the end of its job, which asks again.
    """
    if stats.busy or not policy.enabled or stats.unused == 0:
        return TriggerDecision()
    view = build_view(stats, policy)
    backoff_until = _backoff_until(stats, policy, now)
    firing = triggers.decide(view, policy, now)
    if firing is not None:
        return (
            TriggerDecision(firing.reason, explanation=firing.explanation)
            if backoff_until <= now
            else TriggerDecision(check_at=backoff_until)
        )
    due_at = triggers.next_check_at(view, policy, now)
    return TriggerDecision(check_at=None if due_at is None else max(due_at, backoff_until))


def build_view(stats: FeedbackStats, policy: TriggerPolicy) -> triggers.TriggerView:
    """What the policy's conditions may look at."""
    late = stats.stream.late_ratings
    return triggers.TriggerView(
        unused=stats.unused,
        oldest_unused_at=stats.oldest_unused_at,
        last_window_at=stats.last_window_at,
        scheduled_at=_scheduled_at(stats, policy),
        training_seconds=stats.training_seconds,
        ratings=subtract(stats.rated, stats.rating_sum, late),
        ratings_before=RatingSums(stats.previous_rated, stats.previous_rating_sum),
        stream=stats.stream,
    )


def subtract(rated: int, rating_sum: float, late: RatingSums) -> RatingSums:
    """Ratings without those of other versions; none where the rest is not known.

    Retracted ratings have left the first two and not the late ones, so that more may be late than
    there are.
    """
    if not late.n:
        return RatingSums(rated, rating_sum)
    left, total = rated - late.n, rating_sum - late.total
    return RatingSums(left, total) if left > 0 and total >= left * WORST_RATING else RatingSums()


def _scheduled_at(stats: FeedbackStats, policy: TriggerPolicy) -> datetime | None:
    """The first time of the schedule after the oldest unused feedback and the last window.

    Feedback that comes after a time of the schedule waits for the next one.
    """
    if policy.schedule is None or stats.oldest_unused_at is None:
        return None
    since = max(stats.oldest_unused_at, stats.last_window_at or stats.oldest_unused_at)
    return next_time(policy.schedule.cron, policy.schedule.time_zone, since)


def _later(moment: datetime, seconds: float) -> datetime:
    """So many seconds later, at most a year: the sum of any two times stays in the calendar."""
    return moment + timedelta(seconds=min(seconds, MAX_SECONDS))


def _backoff_until(stats: FeedbackStats, policy: TriggerPolicy, now: datetime) -> datetime:
    """When the agent may be retrained by itself again; `now` or earlier: it may."""
    over = now
    if stats.last_window_at is not None:
        over = _later(stats.last_window_at, policy.cooldown_seconds)
    if stats.last_unsuccessful_at is not None:
        backoff = backoff_seconds(stats.unsuccessful_runs, policy)
        over = max(over, _later(stats.last_unsuccessful_at, backoff))
    return over


def backoff_seconds(unsuccessful_runs: int, policy: TriggerPolicy) -> float:
    """The backoff after so many unsuccessful runs in a row [s]."""
    if unsuccessful_runs < 1:
        return 0.0
    doublings = min(unsuccessful_runs - 1, MAX_DOUBLINGS)
    return min(policy.backoff_seconds * 2.0**doublings, policy.maximum_backoff_seconds)


def may_withdraw(stats: FeedbackStats, policy: TriggerPolicy) -> bool:
    """Whether there may be retracted feedback in the deployed version; constant time."""
    return stats.withdrawals > 0 and not stats.busy and policy.enabled


def may_update(stats: FeedbackStats) -> bool:
    """Whether there may be corrections for the fast path; constant time."""
    return stats.corrections > 0 and not stats.busy
