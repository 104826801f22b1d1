"""What a model answers, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer.

    `score` is the model's own confidence in 0..1: the softmax probability of the chosen tool or
    label, or the geometric mean of the generated tokens' probabilities. `alternatives` are the next
    best answers, best first, without the chosen one; a generator has none.
    """

    output: str
    score: float
    alternatives: tuple[str, ...] = ()
    alternative_scores: tuple[float, ...] = field(default=(), compare=False)
    """Confidence in each alternative; empty where it is not known."""
