"""When feedback is worth a retrain: counters in, a decision out. No scan, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from archon_contracts.events import TriggerReason
from archon_contracts.rules.bounds import MAX_SECONDS
from archon_contracts.values import TriggerPolicy
from services.coordinator.feedback.stats import FeedbackStats

MINIMUM_RATINGS: Final = 30
"""Ratings on either side below which a fall of the mean does not count."""

CONFIDENCE_Z: Final = 1.96
"""Standard errors by which a mean must have fallen, so that noise begins no retrain."""

MAX_DOUBLINGS: Final = 40
"""Of the backoff: beyond it any backoff is longer than any maximum."""

WORST_RATING: Final = 1.0
BEST_RATING: Final = 5.0


@dataclass(frozen=True, slots=True)
class TriggerDecision:
    """Fire now for `reason`, or begin an update or a withdrawal, or look again at `check_at`.

    None of them: wait for feedback.
    """

    reason: TriggerReason | None = None
    check_at: datetime | None = None
    update: bool = False
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
    backoff_until = _backoff_until(stats, policy, now)
    reason = _reason(stats, policy, now)
    if reason is not None:
        return (
            TriggerDecision(reason)
            if backoff_until <= now
            else TriggerDecision(check_at=backoff_until)
        )
    due_at = _due_at(stats, policy)
    return TriggerDecision(check_at=None if due_at is None else max(due_at, backoff_until))


def _reason(stats: FeedbackStats, policy: TriggerPolicy, now: datetime) -> TriggerReason | None:
    # A window never holds more than the maximum, so a larger minimum could not be met.
    if stats.unused >= min(policy.minimum_feedback, policy.maximum_feedback):
        return TriggerReason.COUNT
    if policy.rating_drop is not None and _dropped(stats, policy.rating_drop):
        return TriggerReason.RATING_DROP
    due_at = _due_at(stats, policy)
    if due_at is not None and due_at <= now:
        return TriggerReason.AGE
    return None


def _dropped(stats: FeedbackStats, least: float) -> bool:
    """Whether the unused ratings lie `least` stars below the reference, and significantly so.

    A window that this fires becomes the reference: the same low ratings cannot fire again.
    """
    # The normal approximation below needs some ratings on both sides.
    if min(stats.rated, stats.previous_rated) < MINIMUM_RATINGS:
        return False
    reference = stats.previous_rating_sum / stats.previous_rated
    mean = stats.rating_sum / stats.rated
    # Only sums are kept, so the largest variance that they allow stands in for the real one.
    variance = _max_variance(mean) / stats.rated
    variance += _max_variance(reference) / stats.previous_rated
    fall = reference - mean
    return fall >= least and fall > CONFIDENCE_Z * math.sqrt(variance)


def _max_variance(mean: float) -> float:
    """The largest variance of ratings with this mean (Bhatia and Davis, 2000)."""
    return max(0.0, (BEST_RATING - mean) * (mean - WORST_RATING))


def _due_at(stats: FeedbackStats, policy: TriggerPolicy) -> datetime | None:
    if policy.maximum_age_seconds is None or stats.oldest_unused_at is None:
        return None
    return _later(stats.oldest_unused_at, policy.maximum_age_seconds)


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
