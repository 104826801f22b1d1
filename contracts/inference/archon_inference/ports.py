"""What loads from a model folder and answers requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from archon_inference.prediction import Prediction


class Predictor(Protocol):
    """A loaded model. Not safe for concurrent use from several threads."""

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """One prediction per input, in order, with up to `k` answers each."""
        ...
