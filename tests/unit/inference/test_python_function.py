"""What MLflow gives to a model, as texts."""

from collections.abc import Sequence
from typing import Any

import pytest

from archon_inference import Prediction
from archon_inference.flavors.python_function import PythonFunction


class UpperCase:
    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        return [Prediction(text.upper(), 1.0) for text in inputs]


class ColumnTable(dict[str, list[str]]):
    """As much of a data frame as is read."""

    @property
    def columns(self) -> list[str]:
        return list(self)


@pytest.mark.parametrize(
    "provided",
    [
        ["a", "b"],
        {"input": ["a", "b"]},
        ColumnTable(input=["a", "b"], x=["0", "0"]),
        ColumnTable(t=["a", "b"]),
    ],
)
def test_a_list_and_a_column_are_texts(provided: Any) -> None:
    assert PythonFunction(UpperCase()).predict(provided) == ["A", "B"]


def test_one_text_is_one_answer() -> None:
    assert PythonFunction(UpperCase()).predict("a") == ["A"]


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="column `input`"):
        PythonFunction(UpperCase()).predict(7)
