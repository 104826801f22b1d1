"""How hard an item is beside the others of its dataset."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from services.data_prep.domain import GradedItem, Item

WRONG_WEIGHT = 0.4
OVERLAP_WEIGHT = 0.25
NOVELTY_WEIGHT = 0.2
LENGTH_WEIGHT = 0.15
LONG_INPUT_WORDS = 64

_WORDS = re.compile(r"\w+")


def grade_difficulty(
    items: Sequence[Item], descriptions: Mapping[str, str], known_targets: Mapping[str, int]
) -> list[GradedItem]:
    """Each item with the proportion of the items that score lower: 0 is easiest, 1 is not reached.

    As a rank it has a meaning that scores lack: at least a share q of all items has a difficulty
    of at most q, so that no stage of a curriculum is empty.
    """
    seen = Counter(item.target for item in items)
    words = {target: _words_of(text) for target, text in descriptions.items()}
    raw = [
        score(item, words.get(item.target, frozenset()), _occurrences(item, seen, known_targets))
        for item in items
    ]
    ordered = sorted(raw)
    total = max(len(ordered), 1)
    ranks = (bisect_left(ordered, value) / total for value in raw)
    return [GradedItem(item, rank) for item, rank in zip(items, ranks, strict=True)]


def score(item: Item, description: frozenset[str], occurrences: int) -> float:
    """0..1 from four signals, over those that are known.

    Production answered wrong; the input shares no word with what the target says of itself; the
    target is seldom seen; the input is long.
    """
    words = _words_of(item.key)
    signals = [
        (NOVELTY_WEIGHT, 1 / max(occurrences, 1)),
        (LENGTH_WEIGHT, min(1.0, math.log1p(len(words)) / math.log1p(LONG_INPUT_WORDS))),
    ]
    if item.was_answered_wrong is not None:
        signals.append((WRONG_WEIGHT, float(item.was_answered_wrong)))
    if description and words:
        signals.append((OVERLAP_WEIGHT, 1 - len(words & description) / len(words)))
    weight = sum(share for share, _ in signals)
    return round(sum(share * value for share, value in signals) / weight, 9)


def _occurrences(item: Item, seen: Mapping[str, int], known: Mapping[str, int]) -> int:
    return seen[item.target] + known.get(item.target, 0)


def _words_of(text: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(text.casefold().replace("_", " ")))
