"""A model folder as an agent of a suite. torch is imported when it loads: children and the CLI."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archon_contracts.formats import AnswerExplanation
from archon_contracts.metric_names import TOP_K
from archon_inference.errors import InferenceError
from services.evaluator.child import TIMED_REQUESTS
from services.evaluator.errors import AgentUnusable
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.ports import Progress

if TYPE_CHECKING:
    from archon_inference import Prediction, Predictor

BATCH: Final = 1_024
"""Inputs between two reports of progress; the model batches them by length itself."""


class ModelAgent:
    """Answers with a loaded model."""

    def __init__(self, name: str, predictor: Predictor) -> None:
        self._name = name
        self._predictor = predictor

    @classmethod
    def load(cls, name: str, folder: Path, *, threads: int = 1, device: str = "cpu") -> ModelAgent:
        """The model in a folder.

        Raises:
            AgentUnusable: it cannot be loaded.
        """
        from archon_inference.loading import load_predictor

        try:
            return cls(name, load_predictor(folder, threads=threads, device=device))
        except (InferenceError, OSError) as error:
            raise AgentUnusable(f"{name} cannot be loaded: {error}") from error

    @property
    def name(self) -> str:
        """What the report says was asked."""
        return self._name

    def fixed_answers(self) -> tuple[str, ...] | None:
        """All answers that the model can give; None: it writes texts."""
        from archon_inference.classifier import Classifier
        from archon_inference.selector import Selector

        if isinstance(self._predictor, Classifier):
            return tuple(self._predictor.card.labels)
        if isinstance(self._predictor, Selector):
            return tuple(tool.name for tool in self._predictor.catalogue.tools)
        return None

    def answer(self, inputs: Sequence[str], progress: Progress) -> list[Answer]:
        """All inputs in batches; the first ones alone too, to time a request of one item."""
        found: list[Answer] = []
        for start in range(0, len(inputs), BATCH):
            batch = inputs[start : start + BATCH]
            found += [_to_answer(each) for each in self._predictor.predict(batch, k=TOP_K)]
            progress(len(found))
        peak = _peak_memory_bytes()
        for place, text in enumerate(inputs[:TIMED_REQUESTS]):
            started = time.perf_counter()
            self._predictor.predict([text])
            spent = time.perf_counter() - started
            found[place] = replace(found[place], latency_seconds=spent, memory_bytes=peak)
        return found

    def explain(self, case_id: str, text: str, output: str) -> AnswerExplanation | None:
        """What an answer of a classifier or selector rests on; None: it cannot be said."""
        from archon_inference.classifier import Classifier
        from archon_inference.selector import Selector
        from services.evaluator.suites.explanations.explaining import explain_answer

        if not isinstance(self._predictor, Classifier | Selector):
            return None
        return explain_answer(self._predictor, case_id, text, output)


def _to_answer(prediction: Prediction) -> Answer:
    return Answer(
        output=prediction.output, score=prediction.score, alternatives=prediction.alternatives
    )


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes elsewhere
