"""Score one answer, and sum up many: pure.

An item without a right answer is unscored: it counts beside the scores, never as a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.values import Estimate

Z_95: Final = 1.959963984540054  # standard normal quantile of 0.975


class NothingScored(ValueError):
    """There is no score to sum up; a proportion of nothing would be made up."""


@dataclass(frozen=True, slots=True)
class Score:
    """How right an answer is, 0..1, or None where nobody knows."""

    value: float | None
    answer: str
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean score with its 95 % interval, and how many items had no score."""

    estimate: Estimate
    unscored: int


def exact_match(answer: str, target: str | None) -> Score:
    """1 when the answer is the target, letter by letter; for names of tools and labels."""
    if target is None:
        return Score(None, answer, "the item has no right answer")
    return Score(float(answer == target), answer, f"the right answer is {target!r}")


def text_match(answer: str, target: str | None) -> Score:
    """1 when answer and target are equal but for case and spacing; for generated text."""
    if target is None:
        return Score(None, answer, "the item has no right answer")
    right = answer.casefold().split() == target.casefold().split()
    return Score(float(right), answer, f"the right answer is {target!r}")


def top_k_match(answers: Sequence[str], target: str | None) -> Score:
    """1 when the target is one of the answers."""
    first = answers[0] if answers else ""
    if target is None:
        return Score(None, first, "the item has no right answer")
    return Score(float(target in answers), first, f"the right answer is {target!r}")


def summarise(scores: Iterable[Score]) -> Summary:
    """Mean of right-or-wrong scores with Wilson's interval.

    Raises:
        NothingScored: no score has a value.
    """
    every = list(scores)
    values = [score.value for score in every if score.value is not None]
    if not values:
        raise NothingScored(f"None of {len(every)} items has a score")
    return Summary(wilson_interval(sum(values), len(values)), unscored=len(every) - len(values))


def wilson_interval(successes: float, n: int) -> Estimate:
    """A proportion with its 95 % score interval (Wilson 1927, Journal of the ASA 22, 209-212).

    Raises:
        NothingScored: n is zero.
    """
    if n < 1:
        raise NothingScored("A proportion of no items does not exist")
    value, z2 = successes / n, Z_95**2
    centre = (value + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(value * (1 - value) / n + z2 / (4 * n * n))
    # Rounding must not push the interval past the proportion itself at 0 and 1.
    low, high = max(0.0, min(centre - half, value)), min(1.0, max(centre + half, value))
    return Estimate(value=value, low=low, high=high, n=n)
