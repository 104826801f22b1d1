"""What a model answers, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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


class Predictor(Protocol):
    """A loaded model. Not safe for concurrent use from several threads."""

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """One prediction per input, in order, with up to `k` answers each."""
        ...
