"""How a policy combines its conditions: any of them, or all of them, within a daily limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from archon_contracts.events.jobs import TriggerReason
from archon_contracts.triggers import age, count, error_drift, rating_drop, regret, schedule
from archon_contracts.triggers.stream import StreamState
from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerCombination, TriggerPolicy

DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One kind of condition: whether a policy has it, why it fires, when time makes it due."""

    reason: TriggerReason
    is_set: Callable[[TriggerPolicy], bool]
    explain: Callable[[TriggerView, TriggerPolicy, datetime], str | None]
    due_at: Callable[[TriggerView, TriggerPolicy], datetime | None]


CONDITIONS: Final = tuple(
    Condition(reason, module.is_set, module.explain, module.due_at)
    for reason, module in (
        (TriggerReason.COUNT, count),
        (TriggerReason.RATING_DROP, rating_drop),
        (TriggerReason.DRIFT, error_drift),
        (TriggerReason.REGRET, regret),
        (TriggerReason.SCHEDULE, schedule),
        (TriggerReason.AGE, age),
    )
)
"""In the order in which the first one that fires is named."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A retrain is due: the condition, and why it fired."""

    reason: TriggerReason
    explanation: str


def decide(view: TriggerView, policy: TriggerPolicy, now: datetime) -> Firing | None:
    """Whether a retrain is due by the policy's conditions and daily limit; constant time."""
    if view.unused == 0 or next_allowed_at(view.stream, policy, now) > now:
        return None
    asked = [each for each in CONDITIONS if each.is_set(policy)]
    fired = [
        Firing(each.reason, explanation)
        for each in asked
        if (explanation := each.explain(view, policy, now)) is not None
    ]
    if policy.combine is TriggerCombination.ALL and len(fired) < len(asked):
        return None
    return fired[0] if fired else None


def next_check_at(view: TriggerView, policy: TriggerPolicy, now: datetime) -> datetime | None:
    """When time alone may change the decision; None: only feedback can.

    Where the limit is reached, that is when it allows one again, as conditions may be met already.
    """
    if view.unused == 0:
        return None
    allowed_at = next_allowed_at(view.stream, policy, now)
    due = [moment for each in CONDITIONS if (moment := each.due_at(view, policy)) is not None]
    if policy.combine is TriggerCombination.ALL:
        # Where the last of them is due, the others may hold; feedback decides about the rest.
        due = [max(due)] if due else []
    if allowed_at > now:
        return max(allowed_at, min(due)) if due and not _is_met(view, policy, now) else allowed_at
    # What is due and did not fire waits for another condition, which feedback meets: a moment in
    # the past would be looked at again and again.
    return min((moment for moment in due if moment > now), default=None)


def _is_met(view: TriggerView, policy: TriggerPolicy, now: datetime) -> bool:
    unlimited = policy.model_copy(update={"maximum_per_day": None})
    return decide(view, unlimited, now) is not None


def next_allowed_at(state: StreamState, policy: TriggerPolicy, now: datetime) -> datetime:
    """When the daily limit allows the next retrain; `now`: it does."""
    left = _tokens(state, policy, now)
    if policy.maximum_per_day is None or left >= 1.0:
        return now
    seconds = (1.0 - left) * DAY_SECONDS / policy.maximum_per_day
    return datetime.fromtimestamp(now.timestamp() + seconds, UTC)


def spend(state: StreamState, policy: TriggerPolicy, now: datetime) -> StreamState:
    """The state after a retrain began: one less is allowed.

    A token bucket: `maximum_per_day` at once, and as many in each day after it. A clock that jumps
    back refills nothing.
    """
    if policy.maximum_per_day is None:
        return state
    left = max(0.0, _tokens(state, policy, now) - 1.0)
    return replace(state, tokens=left, tokens_at=max(now.timestamp(), state.tokens_at))


def _tokens(state: StreamState, policy: TriggerPolicy, now: datetime) -> float:
    if policy.maximum_per_day is None or state.tokens is None:
        return float(policy.maximum_per_day or 1)
    passed = max(0.0, now.timestamp() - state.tokens_at)
    return min(
        float(policy.maximum_per_day), state.tokens + passed * policy.maximum_per_day / DAY_SECONDS
    )
