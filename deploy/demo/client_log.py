"""What the agent answered, one JSON line each: the demo's independent count of what was sent."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict


class ProductionRequest(BaseModel):
    """One production request; `correction` is what its user will say the answer should be.

    `unit_id` is the user: one user is always answered by the same arm of an experiment.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    input: str
    correction: str | None = None
    unit_id: str | None = None


class AnswerRecord(BaseModel):
    """One answer. `feedback_event_id` is set once the broker has acknowledged the feedback."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    input: str
    answer: str
    version: str
    digest: str
    unit_id: str | None = None
    experiment_id: str | None = None
    feedback_event_id: str | None = None


def append_line(file: TextIO, line: BaseModel) -> None:
    """Write one line and push it out."""
    file.write(line.model_dump_json() + "\n")
    # At once: the demo reads along, and an agent that is killed loses no answer it has given.
    file.flush()


def read_answers(path: Path) -> list[AnswerRecord]:
    """All answers so far; a line that is still being written is left out."""
    return [AnswerRecord.model_validate(line) for line in _complete_lines(path)]


def feedback_ids(client_log: list[AnswerRecord]) -> list[str]:
    """The ids of all feedback that was acknowledged, in the order of sending."""
    return [entry.feedback_event_id for entry in client_log if entry.feedback_event_id]


def served_by_digest(client_log: list[AnswerRecord]) -> dict[str, int]:
    """Answers counted per weights digest."""
    return dict(Counter(entry.digest for entry in client_log))


def _complete_lines(path: Path) -> Iterator[Any]:
    if not path.exists():
        return
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
