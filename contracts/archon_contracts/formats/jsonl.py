"""JSON Lines: one model a line, UTF-8, LF. Blank lines are ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

MAXIMUM_LINE_BYTES: Final = 1_048_576

Row = TypeVar("Row", bound=BaseModel)


class LineInvalid(ValueError):
    """A line is not what the file should hold. `field` is empty where the whole line is wrong."""

    def __init__(self, field: str, problem: str, *, place: str = "") -> None:
        super().__init__(": ".join(part for part in (place, field, problem) if part))
        self.field = field
        self.problem = problem


def to_jsonl(rows: Iterable[BaseModel]) -> bytes:
    """The rows as JSON Lines. Fields with their default values are left out."""
    return b"".join(row.model_dump_json(exclude_defaults=True).encode() + b"\n" for row in rows)


def parse_line(line: bytes, model: type[Row]) -> Row:
    """One line as a model.

    Raises:
        LineInvalid: it is too long, no JSON object, or a field is not as the model says.
    """
    if len(line) > MAXIMUM_LINE_BYTES:
        raise LineInvalid("", f"line is longer than {MAXIMUM_LINE_BYTES} bytes")
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise LineInvalid(".".join(map(str, fault["loc"])), fault["msg"]) from error


def nonblank_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers, from 1."""
    return ((n, line) for n, line in enumerate(lines, start=1) if line.strip())


def read_jsonl(path: Path, model: type[Row]) -> Iterator[Row]:
    """The rows of a file, in order.

    Raises:
        LineInvalid: names the file, line and field; raised when the line is reached.
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as lines:
        yield from parse_jsonl(lines, model, name=path.name)


def parse_jsonl(lines: Iterable[bytes], model: type[Row], *, name: str) -> Iterator[Row]:
    """The rows of lines, in order; `name` is that of their file.

    Raises:
        LineInvalid: as of `read_jsonl`.
    """
    for number, line in nonblank_lines(lines):
        try:
            yield parse_line(line, model)
        except LineInvalid as error:
            raise LineInvalid(error.field, error.problem, place=f"{name}:{number}") from error


def count_lines(content: bytes) -> int:
    """How many lines are not blank."""
    return sum(1 for _ in nonblank_lines(content.splitlines()))
