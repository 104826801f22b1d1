"""An agent of tests, which answers from a table."""

from collections.abc import Mapping, Sequence

from services.evaluator.suites.answers import Answer
from services.evaluator.suites.ports import Progress


class RecordedAgent:
    """Answers inputs from a table; what it lacks gets an error."""

    def __init__(self, answers: Mapping[str, str | Answer]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return "recorded"

    def answer(self, inputs: Sequence[str], progress: Progress) -> list[Answer]:
        self.asked += inputs
        found = [self._answers.get(text, Answer(error="no answer within 1 s")) for text in inputs]
        progress(len(found))
        return [each if isinstance(each, Answer) else Answer(output=each) for each in found]

    def explain(self, case_id: str, text: str, output: str) -> None:
        """Nothing: a table has no reasons."""
