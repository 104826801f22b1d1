"""Fires when the oldest unused feedback has waited long enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from archon_contracts.rules.bounds import MAX_SECONDS
from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy


def is_set(policy: TriggerPolicy) -> bool:
    """Whether the policy has a maximum age."""
    return policy.maximum_age_seconds is not None


def explain(view: TriggerView, policy: TriggerPolicy, now: datetime) -> str | None:
    """Why it fires; None: it does not."""
    due = due_at(view, policy)
    if due is None or due > now:
        return None
    return f"the oldest unused feedback has waited {policy.maximum_age_seconds:g} s"


def due_at(view: TriggerView, policy: TriggerPolicy) -> datetime | None:
    """When the oldest unused feedback reaches the age; None: there is none, or no such limit."""
    if policy.maximum_age_seconds is None or view.oldest_unused_at is None:
        return None
    # At most a year: the sum of any two times stays in the calendar.
    return view.oldest_unused_at + timedelta(seconds=min(policy.maximum_age_seconds, MAX_SECONDS))
