"""Whether feedback says that an answer was right."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from archon_contracts.events import FeedbackReceived
from archon_contracts.rules.normal_text import same_text

GOOD_RATING: Final = 4.0


def same_answer(one: JsonValue, other: JsonValue) -> bool:
    """Whether two answers are the same, as texts are compared."""
    if isinstance(one, str) and isinstance(other, str):
        return same_text(one, other)
    return one == other


def is_good(body: FeedbackReceived) -> bool | None:
    """Whether feedback without an expected answer says that the agent was right; None: behaviour
    alone, which is weighed where the window becomes a dataset."""
    if body.rating is not None:
        return body.rating >= GOOD_RATING
    return None if body.reward is None else body.reward > 0
