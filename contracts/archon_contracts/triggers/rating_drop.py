"""Fires when ratings of the deployed version fell, by enough and surely."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy

MINIMUM_RATINGS: Final = 30
"""Ratings on either side below which a fall of the mean does not count."""
WORST_RATING: Final = 1.0
BEST_RATING: Final = 5.0
CONFIDENCE_Z: Final = 1.96
"""Standard errors by which a mean must have fallen, so that noise begins no retrain."""


def is_set(policy: TriggerPolicy) -> bool:
    """Whether the policy has a fall that fires."""
    return policy.rating_drop is not None


def explain(view: TriggerView, policy: TriggerPolicy, _now: datetime) -> str | None:
    """Why it fires; None: it does not.

    A window that this fires becomes the reference: the same low ratings cannot fire again.
    """
    now, before = view.ratings, view.ratings_before
    # The normal approximation below needs some ratings on both sides.
    if policy.rating_drop is None or min(now.n, before.n) < MINIMUM_RATINGS:
        return None
    mean, reference = now.total / now.n, before.total / before.n
    # Only sums are kept, so the largest variance that they allow stands in for the real one.
    variance = _max_variance(mean) / now.n + _max_variance(reference) / before.n
    fall = reference - mean
    if fall < policy.rating_drop or fall <= CONFIDENCE_Z * math.sqrt(variance):
        return None
    return f"the mean rating fell from {reference:.2f} to {mean:.2f} stars"


def _max_variance(mean: float) -> float:
    """The largest variance of ratings with this mean (Bhatia and Davis, 2000)."""
    return max(0.0, (BEST_RATING - mean) * (mean - WORST_RATING))


def due_at(_view: TriggerView, _policy: TriggerPolicy) -> datetime | None:
    """Time alone never makes it due."""
    return None
