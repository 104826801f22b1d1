"""The folders that an order names, read into memory. Blocking: call it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from archon_contracts.base import ValueObject
from archon_contracts.commands import PrepareDataset
from services.data_prep.dedup.leakage import held_out_of
from services.data_prep.domain import HeldOut, Targets
from services.data_prep.errors import UnreadableSource
from services.data_prep.sources.records import Reading, read_objects, read_source
from shared.messaging.messages import describe

ITEMS = "items.jsonl"
SUITE_FILES = (ITEMS, "test.jsonl")
CATALOGUE = "catalogue.json"


class Entry(ValueObject):
    """One answer of a selector."""

    name: str
    description: str = ""


_ENTRIES = TypeAdapter(list[Entry])


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the fetched artifacts of an order lie."""

    sources: Sequence[Path]
    suite: Path | None = None
    catalogue: Path | None = None


def read_sources(command: PrepareDataset, folders: Folders) -> list[Reading]:
    """Every source, line by line."""
    readings = []
    for source, folder in zip(command.sources, folders.sources, strict=True):
        with _existing(folder, (ITEMS,)).open("rb") as lines:
            readings.append(read_source(lines, source.kind))
    return readings


def read_targets(command: PrepareDataset, catalogue: Path | None) -> Targets:
    """The agent's possible answers: its catalogue's names, its labels, or any text."""
    if catalogue is not None:
        entries = _entries(_existing(catalogue, (CATALOGUE,)))
        names = frozenset(entry.name for entry in entries)
        return Targets(
            names, {entry.name: f"{entry.name} {entry.description}" for entry in entries}
        )
    if command.labels:
        return Targets(frozenset(command.labels), {label: label for label in command.labels})
    return Targets()


def read_held_out(suite: Path | None) -> HeldOut:
    """The questions that no training may see."""
    if suite is None:
        return {}
    with _existing(suite, SUITE_FILES).open("rb") as lines:
        return held_out_of(read_objects(lines))


def _entries(path: Path) -> list[Entry]:
    try:
        return _ENTRIES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise UnreadableSource(f"{path.name}: {describe(error)}") from error


def _existing(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UnreadableSource(f"artifact {folder.name[:12]} holds no {' or '.join(names)}")
