"""Whether an answer is right: pure.

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


def top_k_match(answers: Sequence[str], target: str) -> bool | None:
    """Whether the target is one of the answers."""
    return target in answers if target else None


def cross_entropy(confidence: float, *, right: bool) -> float:
    """Minus the logarithm of the probability that was given to what is the case [nat]."""
    probability = confidence if right else 1 - confidence
    return -math.log(min(1 - SMALLEST, max(SMALLEST, probability)))
