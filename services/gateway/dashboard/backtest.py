"""What a trigger would have done with an agent's feedback of the last weeks: pure.

An estimate by the hour: the coordinator decides event by event, waits for the end of a running
job, and also looks at ratings, errors and schedules. Feedback that was retracted or returned is
not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from archon_contracts.values import TriggerCombination, TriggerPolicy


@dataclass(frozen=True, slots=True)
class HourOfFeedback:
    """Feedback events that arrived in one hour."""

    hour: datetime
    feedback: int


@dataclass(frozen=True, slots=True)
class TriggerBacktest:
    """When the trigger would have fired, and what it would have left unused."""

    fired: tuple[datetime, ...]
    unused: int
    events: int


def backtest(hours: Sequence[HourOfFeedback], policy: TriggerPolicy) -> TriggerBacktest:
    """The firings by count and by age, hour by hour, oldest first."""
    fires_at = min(policy.minimum_feedback, policy.maximum_feedback)
    fired: list[datetime] = []
    unused, oldest = 0, None
    for each in sorted(hours, key=lambda item: item.hour):
        at = each.hour + timedelta(hours=1)
        if each.feedback and oldest is None:
            oldest = each.hour
        unused += each.feedback
        is_old = (
            policy.maximum_age_seconds is not None
            and oldest is not None
            and (at - oldest).total_seconds() >= policy.maximum_age_seconds
        )
        rested = not fired or (at - fired[-1]).total_seconds() >= policy.cooldown_seconds
        today = sum(at - each < timedelta(days=1) for each in fired)
        rested = rested and (policy.maximum_per_day is None or today < policy.maximum_per_day)
        if policy.enabled and rested and unused and _holds(policy, unused >= fires_at, is_old):
            fired.append(at)
            unused = max(unused - policy.maximum_feedback, 0)
            oldest = each.hour if unused else None
    return TriggerBacktest(tuple(fired), unused, sum(each.feedback for each in hours))


def _holds(policy: TriggerPolicy, enough: bool, is_old: bool) -> bool:
    """Whether the conditions that are looked at here fire, as the policy combines them."""
    if policy.combine is TriggerCombination.ALL:
        return enough and (is_old or policy.maximum_age_seconds is None)
    return enough or is_old
