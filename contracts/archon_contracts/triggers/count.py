"""Fires when enough feedback is there."""

from __future__ import annotations

from datetime import datetime

from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy


def is_set(_policy: TriggerPolicy) -> bool:
    """Every policy has a minimum."""
    return True


def explain(view: TriggerView, policy: TriggerPolicy, _now: datetime) -> str | None:
    """Why it fires; None: it does not."""
    # A window never holds more than the maximum, so a larger minimum could not be met.
    least = min(policy.minimum_feedback, policy.maximum_feedback)
    return f"{view.unused} unused feedback events, {least} asked" if view.unused >= least else None


def due_at(_view: TriggerView, _policy: TriggerPolicy) -> datetime | None:
    """Time alone never makes it due."""
    return None
