"""Whether an answer is right, and how similar it is to a right one: pure.

None means that the item has no right answer: it counts beside the scores, never as a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

SMALLEST: Final = 2.0**-52
"""Probabilities are kept this far from 0 and 1, as in `sklearn.metrics.log_loss`."""


def exact_match(answer: str, target: str) -> bool | None:
    """Whether the answer is the target, letter by letter; for names of tools and labels."""
    return answer == target if target else None


def text_match(answer: str, target: str) -> bool | None:
    """Whether answer and target are equal but for case and spacing; for generated text."""
    return answer.casefold().split() == target.casefold().split() if target else None


def text_similarity(answer: str, target: str) -> float:
    """sacrebleu's sentence chrF2 (Popovic 2015, WMT, 392-395), divided by 100 (0 to 1)."""
    # Imported here: services name scorers, and only children compute.
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().sentence_score(answer, [target]).score) / 100


def top_k_match(answers: Sequence[str], target: str) -> bool | None:
    """Whether the target is one of the answers."""
    return target in answers if target else None


def cross_entropy(confidence: float, *, right: bool) -> float:
    """Minus the logarithm of the probability that was given to what is the case [nat]."""
    probability = confidence if right else 1 - confidence
    return -math.log(min(1 - SMALLEST, max(SMALLEST, probability)))
