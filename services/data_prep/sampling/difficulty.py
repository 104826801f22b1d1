"""How hard an item is beside the others of its dataset."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from archon_contracts.rules.difficulty import difficulty_words, score_difficulty
from services.data_prep.domain import GradedItem, Item


def grade_difficulty(
    items: Sequence[Item], descriptions: Mapping[str, str], known_targets: Mapping[str, int]
) -> list[GradedItem]:
    """Each item with the proportion of the items that score lower: 0 is easiest, 1 is not reached.

    As a rank it has a meaning that scores lack: at least a share q of all items has a difficulty
    of at most q, so that no stage of a curriculum is empty.
    """
    seen = Counter(item.target for item in items)
    words = {target: difficulty_words(text) for target, text in descriptions.items()}
    raw = [
        score(item, words.get(item.target, frozenset()), _occurrences(item, seen, known_targets))
        for item in items
    ]
    ordered = sorted(raw)
    total = max(len(ordered), 1)
    ranks = (bisect_left(ordered, value) / total for value in raw)
    return [GradedItem(item, rank) for item, rank in zip(items, ranks, strict=True)]


def score(item: Item, description: frozenset[str], occurrences: int) -> float:
    """See `score_difficulty`; production answered wrong."""
    return score_difficulty(
        item.key,
        occurrences=occurrences,
        description=description,
        was_answered_wrong=item.was_answered_wrong,
    )


def _occurrences(item: Item, seen: Mapping[str, int], known: Mapping[str, int]) -> int:
    return seen[item.target] + known.get(item.target, 0)
