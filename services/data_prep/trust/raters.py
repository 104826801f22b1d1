"""Who gave an item, and whose agreement counts by itself.

A rater is a unit as its submitting key names it; feedback that names no unit is that of its key.
Unit ids cost whoever holds a key nothing, so only the key that gives most of the feedback has an
independent rater in each of its units: every other key is one independent rater, however many units
it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from archon_contracts.commands import SourceKind
from archon_contracts.events import FeedbackSource
from archon_contracts.formats import TrainingItem
from services.data_prep.domain import Item

Rater = tuple[str, str, str]
"""A kind of rater, the key that it speaks through, and its name.

An annotator is not the unit that bears the same name, nor is a unit of another key: who holds a
key could else speak, and be quarantined, in the name of others.
"""

TRUSTED_SOURCES: Final = frozenset({SourceKind.HUMAN, SourceKind.EXTERNAL})


def is_feedback(item: TrainingItem) -> bool:
    """Whether it came as a feedback event."""
    return item.source == SourceKind.FEEDBACK


def is_expert(item: TrainingItem) -> bool:
    """Whether it is feedback of an expert, which needs a scope at the gateway."""
    return is_feedback(item) and item.feedback_source == FeedbackSource.EXPERT


def is_limited(item: TrainingItem) -> bool:
    """Whether caps and quarantine are for it."""
    return is_feedback(item) and not is_expert(item)


def is_provided(item: TrainingItem) -> bool:
    """Whether it is trusted: provided by a person, an annotator or an expert."""
    return item.source in TRUSTED_SOURCES or is_expert(item)


def rater_of(item: TrainingItem) -> Rater:
    """The unit that gave a feedback item, or its key where none is named."""
    return ("unit" if item.unit else "key", item.submitted_by, item.unit)


class RaterGroups:
    """Which raters count by themselves, known from all feedback of a window and of the memory."""

    def __init__(self, items: Iterable[TrainingItem]) -> None:
        given = Counter(item.submitted_by for item in items if is_feedback(item))
        # With one key only, or where no keys are recorded, senders cannot be distinguished.
        self._main = next((key for key, count in given.items() if 2 * count > given.total()), None)

    def rater_group_of(self, rater: Rater) -> Rater:
        """The rater itself, or its key where that is not the one that most feedback comes with."""
        kind, key, _ = rater
        return rater if kind != "unit" or key == self._main else ("key", key, "")

    def is_crowd(self, rater: Rater) -> bool:
        """Whether this is most of the feedback and names no unit: many people, or one."""
        kind, key, _ = rater
        return kind == "key" and key == self._main

    def rater_groups_of(self, item: Item) -> frozenset[Rater]:
        """Everybody who gives this item its answer."""
        if is_feedback(item):
            return frozenset({self.rater_group_of(rater_of(item))})
        named = frozenset(("annotator", "", name) for name in item.annotators)
        return named or frozenset({("source", "", item.source)})
