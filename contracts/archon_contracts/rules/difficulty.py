"""How hard an item is to answer: one function, for curricula and for synthetic items."""

from __future__ import annotations

import math
import re
from typing import Final

WRONG_WEIGHT: Final = 0.4
OVERLAP_WEIGHT: Final = 0.25
NOVELTY_WEIGHT: Final = 0.2
LENGTH_WEIGHT: Final = 0.15
LONG_INPUT_WORDS: Final = 64

_WORDS = re.compile(r"\w+")


def difficulty_words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case; underscores part words."""
    return frozenset(_WORDS.findall(text.casefold().replace("_", " ")))


def score_difficulty(
    text: str,
    *,
    occurrences: int,
    description: frozenset[str] = frozenset(),
    was_answered_wrong: bool | None = None,
) -> float:
    """0..1 from four signals, over those that are known.

    A model answered wrong; the input shares no word with what the target says of itself
    (`description`); the target is seldom seen (`occurrences`); the input is long.
    """
    words = difficulty_words(text)
    signals = [
        (NOVELTY_WEIGHT, 1 / max(occurrences, 1)),
        (LENGTH_WEIGHT, min(1.0, math.log1p(len(words)) / math.log1p(LONG_INPUT_WORDS))),
    ]
    if was_answered_wrong is not None:
        signals.append((WRONG_WEIGHT, float(was_answered_wrong)))
    if description and words:
        signals.append((OVERLAP_WEIGHT, 1 - len(words & description) / len(words)))
    weight = sum(share for share, _ in signals)
    return round(sum(share * value for share, value in signals) / weight, 9)
