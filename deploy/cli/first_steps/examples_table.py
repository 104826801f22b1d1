"""A user's table of examples: read from CSV, checked, and split for training and evaluation."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.cli.errors import CommandError

INPUT_NAMES: Final = ("input", "text", "question", "utterance", "message", "request", "query")
LABEL_NAMES: Final = ("label", "target", "intent", "category", "class", "topic", "answer")
DELIMITERS: Final = ",;\t|"
HELD_OUT_FRACTION: Final = 0.2
MINIMUM_EXAMPLES: Final = 8
MAXIMUM_BYTES: Final = 100 * 1024 * 1024
MAXIMUM_LABELS: Final = 2_000


@dataclass(frozen=True, slots=True)
class LabelledText:
    """An input with its label."""

    input: str
    label: str


@dataclass(frozen=True, slots=True)
class CsvTable:
    """Columns by name, and rows of as many cells."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Each with the line of the file in which it ends."""

    def guess(self, names: Sequence[str], *, otherwise: int) -> str | None:
        """The column with one of these names; of a table of two columns, the one at a place."""
        lowered = {column.lower(): column for column in self.columns}
        found = next((lowered[name] for name in names if name in lowered), None)
        if found is None and len(self.columns) == 2:
            return self.columns[otherwise]
        return found


@dataclass(frozen=True, slots=True)
class ExampleSplit:
    """Examples to learn, and examples that no training sees."""

    training: tuple[LabelledText, ...]
    held_out: tuple[LabelledText, ...]
    labels: tuple[str, ...]
    skipped: int
    """Rows without an input or a label, and repeated ones."""

    @property
    def digest(self) -> str:
        """Names this content: other rows are other datasets."""
        rows = "\n".join(f"{e.input}\x1f{e.label}" for e in (*self.training, *self.held_out))
        return hashlib.sha256(rows.encode()).hexdigest()[:10]


def read_csv(path: Path) -> CsvTable:
    """The table of a file in UTF-8 whose first row names the columns.

    Raises:
        CommandError: it is not there, too large, no text or no table; the line is named.
    """
    if not path.is_file():
        raise CommandError(f"{path} is no file; name a CSV file with a header row.")
    if path.stat().st_size > MAXIMUM_BYTES:
        raise CommandError(f"{path} has more than 100 MiB; upload it by POST /v1/datasets instead.")
    text = _decode(path)
    delimiter = _find_delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [
            (reader.line_num, tuple(row)) for row in reader if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise CommandError(f"{path}, line {reader.line_num}: {error}; check its quotes.") from None
    if not rows:
        raise CommandError(f"{path} is empty; its first row names the columns.")
    header = tuple(cell.strip() for cell in rows[0][1])
    _check_header(path, header)
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise CommandError(
                f"{path}, line {line}: {len(row)} cells, but the header has {len(header)}; quote "
                f"cells that hold {delimiter!r} or a line break."
            )
    return CsvTable(path, header, tuple(rows[1:]))


def choose_examples(table: CsvTable, input_column: str, label_column: str) -> list[LabelledText]:
    """The table's rows that have an input and a label, each once.

    Raises:
        CommandError: a column is not there, or both are the same.
    """
    for option, column in (("--input", input_column), ("--label", label_column)):
        if column not in table.columns:
            raise CommandError(
                f"{table.path} has no column {column!r} for {option}; it has: "
                f"{', '.join(table.columns)}."
            )
    if input_column == label_column:
        raise CommandError("--input and --label name the same column; they must differ.")
    places = table.columns.index(input_column), table.columns.index(label_column)
    cells = ((row[places[0]].strip(), row[places[1]].strip()) for _, row in table.rows)
    return list(dict.fromkeys(LabelledText(text, label) for text, label in cells if text and label))


def split(table: CsvTable, examples: Sequence[LabelledText]) -> ExampleSplit:
    """A fifth of each label's examples is held out, chosen by the hash of its input.

    So the same row is on the same side in every run. A label with one example is only learnt.

    Raises:
        CommandError: there is too little to learn from, or one input has two labels.
    """
    _check_examples(table, examples)
    by_label: defaultdict[str, list[LabelledText]] = defaultdict(list)
    for example in sorted(examples, key=lambda each: _hash(each.input)):
        by_label[example.label].append(example)
    training: list[LabelledText] = []
    held_out: list[LabelledText] = []
    for label in sorted(by_label):
        found = by_label[label]
        count = max(round(len(found) * HELD_OUT_FRACTION), 1) if len(found) > 1 else 0
        held_out += found[:count]
        training += found[count:]
    return ExampleSplit(
        tuple(training), tuple(held_out), tuple(sorted(by_label)), len(table.rows) - len(examples)
    )


def to_items(examples: Iterable[LabelledText], *, with_ids: bool) -> list[dict[str, str]]:
    """The examples as items of a dataset; with ids and groups where they are a suite's."""
    return [
        {"input": each.input, "target": each.label}
        | ({"id": f"row-{number}", "group": each.label} if with_ids else {})
        for number, each in enumerate(examples)
    ]


def _decode(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is no UTF-8; save the file as "
            "UTF-8 (a spreadsheet calls it 'CSV UTF-8')."
        ) from None


def _find_delimiter(text: str) -> str:
    """The delimiter that the header has most of; a comma where it has none."""
    header = text.partition("\n")[0]
    return max(DELIMITERS, key=header.count)


def _check_header(path: Path, header: Sequence[str]) -> None:
    if len(header) < 2:
        raise CommandError(
            f"{path} has one column, {header[0]!r}; it needs one of inputs and one of labels, "
            "separated by a comma, a semicolon or a tab."
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise CommandError(f"{path} has two columns named {twice[0]!r}; rename one of them.")


def _check_examples(table: CsvTable, examples: Sequence[LabelledText]) -> None:
    labels = Counter(example.label for example in examples)
    if len(examples) < MINIMUM_EXAMPLES:
        raise CommandError(
            f"{table.path} has {len(examples)} rows with an input and a label; "
            f"{MINIMUM_EXAMPLES} are the least to learn from."
        )
    if len(labels) < 2:
        raise CommandError(
            f"{table.path} has one label, {next(iter(labels))!r}; an agent needs at least two."
        )
    if len(labels) > MAXIMUM_LABELS or len(labels) > len(examples) / 2:
        raise CommandError(
            f"{table.path} has {len(labels)} labels for {len(examples)} rows, so few are repeated; "
            "is --label the column of labels?"
        )
    of_input: dict[str, str] = {}
    for example in examples:
        other = of_input.setdefault(example.input, example.label)
        if other != example.label:
            raise CommandError(
                f"{table.path} labels {example.input[:60]!r} as {other!r} and as "
                f"{example.label!r}; keep one of them."
            )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
