"""When feedback is worth a retrain: counters in, a verdict out. No scan, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from archon_contracts.events import TriggerReason
from archon_contracts.values import TriggerPolicy

MINIMUM_RATINGS: Final = 30
"""Ratings on either side below which a fall of the mean is not believed."""

CONFIDENCE_Z: Final = 1.96
"""Standard errors by which a mean must have fallen, lest its noise begin retrains."""

MOST_DOUBLINGS: Final = 40
"""Of the rest after refusals: beyond it any rest is longer than any maximum."""

WORST_RATING: Final = 1.0
BEST_RATING: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is counted for one agent; `unused` judgements are in no window yet.

    `reference_...` counts the ratings of the last window that had enough of them; `refusals`
    the retrains in a row that trained and gave no version, the last of them at `refused_at`.
    """

    tenant_id: str
    agent_id: str
    profile_revision: int = 1
    unused: int = 0
    rated: int = 0
    rating_sum: float = 0.0
    oldest_unused_at: datetime | None = None
    reference_rated: int = 0
    reference_rating_sum: float = 0.0
    windows: int = 0
    last_window_at: datetime | None = None
    refusals: int = 0
    refused_at: datetime | None = None
    busy: bool = False
    check_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What a retraction did: the judgements that a window had taken, and a changed tally."""

    used: tuple[UUID, ...] = ()
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Fire now for `reason`, or look again at `check_at`; both None: wait for feedback."""

    reason: TriggerReason | None = None
    check_at: datetime | None = None


def judge(tally: Tally, policy: TriggerPolicy, now: datetime) -> Verdict:
    """Whether a retrain begins now; constant time.

    A busy agent waits for the end of its job, which asks again.
    """
    if tally.busy or not policy.enabled or tally.unused == 0:
        return Verdict()
    rest_over = _rest_over(tally, policy, now)
    reason = _reason(tally, policy, now)
    if reason is not None:
        return Verdict(reason) if rest_over <= now else Verdict(check_at=rest_over)
    ripe = _ripe_at(tally, policy)
    return Verdict(check_at=None if ripe is None else max(ripe, rest_over))


def _reason(tally: Tally, policy: TriggerPolicy, now: datetime) -> TriggerReason | None:
    # A window never holds more than the maximum, so a larger minimum could not be met.
    if tally.unused >= min(policy.minimum_feedback, policy.maximum_feedback):
        return TriggerReason.COUNT
    if policy.rating_drop is not None and _fell(tally, policy.rating_drop):
        return TriggerReason.RATING_DROP
    ripe = _ripe_at(tally, policy)
    if ripe is not None and ripe <= now:
        return TriggerReason.AGE
    return None


def _fell(tally: Tally, least: float) -> bool:
    """Whether the unused ratings lie `least` stars below the reference, and not by chance.

    A window that this fires becomes the reference: the same low ratings cannot fire again.
    """
    if min(tally.rated, tally.reference_rated) < MINIMUM_RATINGS:
        return False
    reference = tally.reference_rating_sum / tally.reference_rated
    mean = tally.rating_sum / tally.rated
    variance = _most_variance(mean) / tally.rated
    variance += _most_variance(reference) / tally.reference_rated
    fall = reference - mean
    return fall >= least and fall > CONFIDENCE_Z * math.sqrt(variance)


def _most_variance(mean: float) -> float:
    """The largest variance of ratings with this mean (Bhatia and Davis, 2000)."""
    return max(0.0, (BEST_RATING - mean) * (mean - WORST_RATING))


def _ripe_at(tally: Tally, policy: TriggerPolicy) -> datetime | None:
    if policy.maximum_age_seconds is None or tally.oldest_unused_at is None:
        return None
    return tally.oldest_unused_at + timedelta(seconds=policy.maximum_age_seconds)


def _rest_over(tally: Tally, policy: TriggerPolicy, now: datetime) -> datetime:
    """When the agent may be retrained by itself again; `now` or earlier: it may."""
    over = now
    if tally.last_window_at is not None:
        over = tally.last_window_at + timedelta(seconds=policy.cooldown_seconds)
    if tally.refused_at is not None:
        rest = timedelta(seconds=refusal_rest_seconds(tally.refusals, policy))
        over = max(over, tally.refused_at + rest)
    return over


def refusal_rest_seconds(refusals: int, policy: TriggerPolicy) -> float:
    """How long an agent rests after so many retrains in a row that gave no version [s]."""
    if refusals < 1:
        return 0.0
    doublings = min(refusals - 1, MOST_DOUBLINGS)
    return min(policy.refusal_rest_seconds * 2.0**doublings, policy.maximum_rest_seconds)
