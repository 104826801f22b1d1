"""Fires at the times of a schedule, where there is feedback by then."""

from __future__ import annotations

from datetime import datetime

from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy


def is_set(policy: TriggerPolicy) -> bool:
    """Whether the policy has a schedule."""
    return policy.schedule is not None


def explain(view: TriggerView, policy: TriggerPolicy, now: datetime) -> str | None:
    """Why it fires; None: it does not."""
    due = due_at(view, policy)
    if due is None or due > now or policy.schedule is None:
        return None
    return f"scheduled by {policy.schedule.cron!r} ({policy.schedule.time_zone})"


def due_at(view: TriggerView, policy: TriggerPolicy) -> datetime | None:
    """The next time of the schedule; None: it has none."""
    return view.scheduled_at if policy.schedule is not None else None
