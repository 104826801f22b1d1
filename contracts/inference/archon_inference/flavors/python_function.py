"""The loader that MLflow's python_function flavor calls: texts in, answers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archon_inference.loading import load_predictor
from archon_inference.ports import Predictor


class PythonFunction:
    """A predictor with the `predict` of MLflow."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> list[str]:
        """The answer to each text: of a list, of a column `input`, or of a table's only column.

        Raises:
            ValueError: the input is none of these.
        """
        return [each.output for each in self._predictor.predict(_texts(model_input))]


def _load_pyfunc(path: str) -> PythonFunction:
    """MLflow's entry point; `path` is the folder of the model's files."""
    return PythonFunction(load_predictor(Path(path)))


def _texts(model_input: Any) -> list[str]:
    if isinstance(model_input, str):
        return [model_input]
    columns = getattr(model_input, "columns", None)
    if columns is not None:  # a pandas data frame, which need not be installed
        name = "input" if "input" in columns else columns[0]
        return [str(each) for each in model_input[name]]
    if isinstance(model_input, Mapping):
        model_input = model_input.get("input")
    if isinstance(model_input, Sequence):
        return [str(each) for each in model_input]
    raise ValueError("give a list of texts, or a table with a column `input`")
