"""How good a generator is on validation items while it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from archon_contracts.metric_names import (
    VALIDATION_ACCURACY,
    VALIDATION_LOSS,
    VALIDATION_VALID_ANSWERS,
)
from archon_inference.generator import Generator
from services.trainer.items import TrainingItem
from services.trainer.recipes.progress_callback import Validate

VALIDATED: Final = 64
"""Completions are slow; so many show the trend."""
LONGEST_COMPLETED: Final = 48
"""Tokens of an answer up to which validation completes prompts: a longer text is never word for
word that of a person, so that only its loss says something."""
CLOSED_SET: Final = 0.5
"""Answers are a closed set where there are at most so many different ones per item."""
LOSS_SHARE: Final = 1e-3
"""What the loss adds to a score in which an answer counts one in 64: it decides between ties."""


def find_closed_set(items: Sequence[TrainingItem]) -> frozenset[str]:
    """The answers that the agent chooses from; empty where it writes freely."""
    targets = frozenset(_normal(item.target) for item in items)
    return targets if len(targets) <= CLOSED_SET * len(items) else frozenset()


def build_validator(
    generator: Generator,
    measure_loss: Callable[[], float | None],
    items: Sequence[TrainingItem],
    answers: Collection[str],
) -> Validate:
    """A function that measures the model as it is when called; no items, no figures."""

    def validate() -> dict[str, float]:
        if not items:
            return {}
        generator.base.model.train(False)
        loss = measure_loss()
        figures = {} if loss is None else {VALIDATION_LOSS: loss}
        if generator.card.max_new_tokens > LONGEST_COMPLETED:
            return figures
        shown = items[:VALIDATED]
        completed = [_normal(a.output) for a in generator.predict([item.input for item in shown])]
        right = sum(
            text == _normal(item.target) for text, item in zip(completed, shown, strict=True)
        )
        figures[VALIDATION_ACCURACY] = right / len(shown)
        if answers:
            figures[VALIDATION_VALID_ANSWERS] = sum(t in answers for t in completed) / len(shown)
        return figures

    return validate


def score_epoch(figures: Mapping[str, float]) -> float | None:
    """What the best epoch is chosen by: right answers first, the loss between equals."""
    if VALIDATION_LOSS not in figures and VALIDATION_ACCURACY not in figures:
        return None
    loss = figures.get(VALIDATION_LOSS, math.inf)
    return figures.get(VALIDATION_ACCURACY, 0.0) + LOSS_SHARE * math.exp(-loss)


def _normal(text: str) -> str:
    """As the evaluator compares generated texts: without case, by words."""
    return " ".join(text.casefold().split())
