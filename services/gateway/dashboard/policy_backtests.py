"""What a changed trigger would have done, beside the one in force: pure.

The replay is that of `archon triggers backtest`; here it is bounded to what a page waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from archon_contracts.triggers.backtest import (
    BacktestResult,
    FeedbackHistory,
    HistoryHour,
    estimate_drift,
    replay,
)
from archon_contracts.values import TriggerPolicy
from services.gateway.views.curriculum import FeedbackHistoryView
from shared.cron import next_time

DAYS: Final = 30
MAX_ANSWERS: Final = 20_000
"""Replayed answers: more take seconds, so that of busy agents only the newest hours are taken."""
SHOWN: Final = 8
PRICE: Final = 1.0


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """What one trigger would have done; accuracy is an estimate, None without an answer."""

    retrains: int
    reasons: tuple[tuple[str, int], ...]
    newest: tuple[datetime, ...]
    training_seconds: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """The trigger in force and the changed one, on the same hours."""

    before: PolicyOutcome
    after: PolicyOutcome
    answers: int
    since: datetime | None
    """Of the oldest hour that was replayed; None: there is no feedback."""
    is_cut: bool


def compare_triggers(
    found: FeedbackHistoryView, before: TriggerPolicy, after: TriggerPolicy
) -> PolicyComparison:
    """Replay the newest hours through both."""
    hours = _newest(found)
    history = FeedbackHistory(hours, list(found.deployed_at), found.training_seconds)
    drift = estimate_drift(history)
    results = [
        replay("", policy, history, drift, price_seconds=PRICE, next_time=next_time)
        for policy in (before, after)
    ]
    return PolicyComparison(
        before=_to_outcome(results[0]),
        after=_to_outcome(results[1]),
        answers=results[0].answers,
        since=hours[0].at if hours else None,
        is_cut=len(hours) < len(found.hours),
    )


def _newest(found: FeedbackHistoryView) -> list[HistoryHour]:
    hours: list[HistoryHour] = []
    answers = 0
    for each in reversed(found.hours):
        answers += each.answers
        if hours and answers > MAX_ANSWERS:
            break
        # One hour of a flood is replayed as far as the bound goes, with its proportion of wrong.
        shown = min(each.answers, MAX_ANSWERS)
        wrong = round(each.wrong * shown / each.answers) if each.answers else 0
        hours.append(HistoryHour(each.hour, shown, wrong))
    return hours[::-1]


def _to_outcome(result: BacktestResult) -> PolicyOutcome:
    reasons: dict[str, int] = {}
    for each in result.retrains:
        reasons[each.reason.value] = reasons.get(each.reason.value, 0) + 1
    return PolicyOutcome(
        retrains=len(result.retrains),
        reasons=tuple(sorted(reasons.items())),
        newest=tuple(each.at for each in result.retrains[::-1][:SHOWN]),
        training_seconds=result.training_seconds,
        accuracy=result.accuracy if result.answers else None,
    )
