"""Whether fine-tuning is tried beside a closed form, and whether its model is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from archon_contracts.values import AgentKind, FineTuning

SUFFICIENT_ACCURACY: Final[Mapping[AgentKind, float]] = {
    AgentKind.CLASSIFIER: 0.8,
    AgentKind.SELECTOR: 0.6,
}
"""Validation accuracy of the closed form from which fine-tuning is not tried by itself: what it may
still gain on a sentence encoder is small, and it costs some hundred times as much; see
`make bench NAME=classifier_stream` and `selector_stream`. A selector's is lower: a part of its
requests is for tools that nobody used before, which neither can know (decision 92)."""

MAXIMUM_P_VALUE: Final = 0.05
"""Of the paired test that fine-tuning must pass against the closed form."""


def is_sufficient(kind: AgentKind, right: Sequence[bool]) -> bool:
    """Whether a closed form that answers these validation items so needs no fine-tuning.

    Without items nothing says that fine-tuning would gain anything.
    """
    return not right or sum(right) / len(right) >= SUFFICIENT_ACCURACY[kind]


def is_taken(wanted: FineTuning, tuned: Sequence[bool], closed_form: Sequence[bool]) -> bool:
    """Whether the fine-tuned model is the one to go on with, by their right validation answers."""
    return wanted is FineTuning.ALWAYS or p_value_of_gain(tuned, closed_form) <= MAXIMUM_P_VALUE


def p_value_of_gain(now: Sequence[bool], before: Sequence[bool]) -> float:
    """How likely so many items were gained by luck: McNemar's exact test, one-sided."""
    gained = sum(each and not other for each, other in zip(now, before, strict=True))
    lost = sum(other and not each for each, other in zip(now, before, strict=True))
    changed = gained + lost
    # So many heads of a fair coin, in whole numbers. Not by SciPy, whose import takes 0.3 s and
    # more of every run.
    return sum(math.comb(changed, heads) for heads in range(gained, changed + 1)) / (1 << changed)
