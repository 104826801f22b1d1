"""Fires when the deployed version is surely wrong more often than it was at first."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from archon_contracts.triggers.stream import StreamState
from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy

EVIDENCE: Final = 12.0
"""Log-likelihood ratio that fires. Where the error rate before is known, a run of the CUSUM up to h
begins at any one event with a probability of at most e^-h (Lorden, "Procedures for reacting to a
change in distribution", 1971): 10,000 events without a change raise an alarm in at most 6 %."""
ONE_RATER: Final = 0.5
"""Part of the wrong answers above which one rater may have changed and not the world."""


def is_set(policy: TriggerPolicy) -> bool:
    """Whether the policy has a rise that fires."""
    return policy.error_rise is not None


def explain(view: TriggerView, policy: TriggerPolicy, _now: datetime) -> str | None:
    """Why it fires; None: it does not, or the wrong answers are one rater's alone."""
    state = view.stream
    if policy.error_rise is None or state.evidence < EVIDENCE or find_one_rater(state):
        return None
    return (
        f"the deployed version is wrong more often than the {state.expected_error:.2f} of its "
        f"first answers, surely by some {policy.error_rise:.2f}"
    )


def find_one_rater(state: StreamState) -> str | None:
    """The rater whose change alone explains the wrong answers; None: there is no such one.

    One who gives most of the feedback anyway cannot be distinguished from a change of the requests.
    """
    if not state.suspects:
        return None
    rater, wrong = max(state.suspects.items(), key=lambda pair: pair[1])
    all_wrong, all_answers = sum(state.suspects.values()), max(1, sum(state.raters.values()))
    is_alone = wrong > ONE_RATER * all_wrong and len(state.raters) > 1
    return rater if is_alone and state.raters.get(rater, 0) < ONE_RATER * all_answers else None


def due_at(_view: TriggerView, _policy: TriggerPolicy) -> datetime | None:
    """Time alone never makes it due."""
    return None
