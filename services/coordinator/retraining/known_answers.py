"""Corrections to answers that the agent does not have yet: they wait until its profile has them.

Without this they would be spent on a window that cannot learn them, a day before somebody adds the
label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from archon_contracts.formats import canonical_text
from archon_contracts.rules.normal_text import clean_text
from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback

MAX_ANSWER: Final = 500
"""Characters of an answer that are kept: labels and names of a catalogue are no longer."""
MAX_NAMED: Final = 10
"""Answers that a sentence names."""


@dataclass(frozen=True, slots=True)
class WindowParts:
    """A window's feedback that can be learnt now, and what waits for which answer."""

    usable: list[StoredFeedback]
    waiting: Mapping[UUID, str]


def split_by_known_answers(
    feedback: Iterable[StoredFeedback], answers: Collection[str] | None
) -> WindowParts:
    """Set aside what names an answer that is none of `answers`; None: any text is one.

    A rating or reward without a correction waits for nothing.
    """
    usable, waiting = list[StoredFeedback](), dict[UUID, str]()
    for stored in feedback:
        answer = None if answers is None else _named_answer(stored)
        if answer and answers is not None and answer not in answers:
            waiting[stored.event_id] = answer[:MAX_ANSWER]
        else:
            usable.append(stored)
    return WindowParts(usable, waiting)


def describe_waiting(waiting: Mapping[str, int]) -> str:
    """Which answers the profile lacks, most wanted first; empty when nothing waits."""
    if not waiting:
        return ""
    most = Counter(waiting).most_common(MAX_NAMED)
    named = ", ".join(f"{answer!r} ({count})" for answer, count in most)
    more = f" and {len(waiting) - len(most)} more" if len(waiting) > len(most) else ""
    return (
        f"{sum(waiting.values())} corrections wait for answers that the agent does not have: "
        f"{named}{more}; add them to its labels or catalogue, and they are new data"
    )


def _named_answer(stored: StoredFeedback) -> str | None:
    """The correction in the normal form of labels; None where there is none."""
    body = orjson.loads(stored.body)
    value = body.get("label" if stored.source == ANNOTATION else "expected")
    try:
        return clean_text(canonical_text(value)) or None
    except ValueError:
        return None  # the export sets it aside and says why
