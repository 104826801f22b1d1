"""What is evaluated: a model folder or an endpoint, which answer the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from archon_contracts.formats import AnswerExplanation
from services.evaluator.suites.answers import Answer

Progress = Callable[[int], None]
"""Takes how many requests are answered so far."""


class EvaluatedAgent(Protocol):
    """Answers the requests of a suite."""

    @property
    def name(self) -> str: ...

    def answer(self, inputs: Sequence[str], progress: Progress) -> list[Answer]:
        """One answer per input, in order. A request that fails is an answer with an error."""
        ...

    def explain(self, case_id: str, text: str, output: str) -> AnswerExplanation | None:
        """What an answer rests on; None: the agent cannot say."""
        ...
