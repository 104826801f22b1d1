"""Fires when waiting has cost as much as a training would.

Waiting costs the wrong answers beyond those that a new version gives: the area between the error
curve and that of a version's first answers. Where the error grows steadily, firing when that area
is worth one training is optimal, as in the economic order quantity, where the holding cost equals
the ordering cost (Harris, "How many parts to make at once", 1913).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy

FIRST_TRAINING_SECONDS: Final = 60.0
"""What a training is taken to cost before one has ended [s]."""


def is_set(policy: TriggerPolicy) -> bool:
    """Whether the policy prices a wrong answer."""
    return policy.wrong_answer_seconds is not None


def explain(view: TriggerView, policy: TriggerPolicy, _now: datetime) -> str | None:
    """Why it fires; None: it does not."""
    if policy.wrong_answer_seconds is None:
        return None
    regret = max(0.0, view.stream.excess) * policy.wrong_answer_seconds
    cost = FIRST_TRAINING_SECONDS if view.training_seconds is None else view.training_seconds
    if regret < cost or view.stream.excess <= 0:
        return None
    return (
        f"{view.stream.excess:.0f} wrong answers beyond those of a new version are worth "
        f"{regret:.0f} s, a training {cost:.0f} s"
    )


def due_at(_view: TriggerView, _policy: TriggerPolicy) -> datetime | None:
    """Time alone never makes it due."""
    return None
