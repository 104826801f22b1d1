"""Lines of a source as training items; a line that cannot be read is counted with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archon_contracts.commands import SourceKind
from archon_contracts.formats import (
    LineInvalid,
    SuiteItem,
    TrainingItem,
    nonblank_lines,
    parse_line,
)


@dataclass(slots=True)
class ParsedSource:
    """All records of one source; `received` counts every line that is not blank."""

    kind: SourceKind
    records: list[TrainingItem] = field(default_factory=list)
    received: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)


def read_source(lines: Iterable[bytes], kind: SourceKind) -> ParsedSource:
    """Every line as an item of this kind of source, or counted by the field that is wrong."""
    parsed = ParsedSource(kind)
    for _, line in nonblank_lines(lines):
        parsed.received += 1
        try:
            record = parse_line(line, TrainingItem)
        except LineInvalid as error:
            # Without the position in the line: reasons are counted, so there must be few.
            name = error.field.partition(".")[0] or "line"
            parsed.unreadable[f"{name} is not valid"] += 1
        else:
            parsed.records.append(record.model_copy(update={"source": _source_of(record, kind)}))
    return parsed


def _source_of(record: TrainingItem, kind: SourceKind) -> str:
    """What the command says of a source counts, not what its lines say of themselves.

    But for synthetic ones: in a dataset of a name they are external files like any other, and are
    believed less and never tested with. Nobody gains by saying so of an item that is none.
    """
    return record.source if record.source == SourceKind.SYNTHETIC else str(kind)


def read_suite(lines: Iterable[bytes]) -> Iterator[SuiteItem]:
    """The items of an evaluation suite; lines that no evaluation could read are passed over."""
    for _, line in nonblank_lines(lines):
        try:
            yield parse_line(line, SuiteItem)
        except LineInvalid:
            continue
