"""The folders that a command names, read into memory. Blocking: call it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from archon_contracts.base import ValueObject
from archon_contracts.commands import PrepareDataset
from archon_contracts.formats import CATALOGUE_FILE, ITEMS_FILE, SUITE_FILES
from services.data_prep.dedup.leakage import collect_held_out
from services.data_prep.domain import HeldOut, Targets
from services.data_prep.errors import UnreadableSource
from services.data_prep.sources.records import ParsedSource, read_source, read_suite
from shared.messaging.messages import describe_validation_error


class SelectorTarget(ValueObject):
    """One answer of a selector."""

    name: str
    description: str = ""


_SELECTOR_TARGETS = TypeAdapter(list[SelectorTarget])


@dataclass(frozen=True, slots=True)
class SourceFolders:
    """Where the fetched artifacts of a command lie."""

    sources: Sequence[Path]
    suite: Path | None = None
    catalogue: Path | None = None


def read_sources(command: PrepareDataset, folders: SourceFolders) -> list[ParsedSource]:
    """Every source, line by line."""
    parsed_sources = []
    for source, folder in zip(command.sources, folders.sources, strict=True):
        with _find_file(folder, (ITEMS_FILE,)).open("rb") as lines:
            parsed_sources.append(read_source(lines, source.kind))
    return parsed_sources


def read_targets(command: PrepareDataset, catalogue: Path | None) -> Targets:
    """The agent's possible answers: its catalogue's names, its labels, or any text."""
    if catalogue is not None:
        entries = _parse_catalogue(_find_file(catalogue, (CATALOGUE_FILE,)))
        names = frozenset(entry.name for entry in entries)
        return Targets(
            names, {entry.name: f"{entry.name} {entry.description}" for entry in entries}
        )
    if command.labels:
        return Targets(frozenset(command.labels), {label: label for label in command.labels})
    return Targets()


def read_held_out(suite: Path | None, *, redacted: bool = False) -> HeldOut:
    """The questions that no training may see; `redacted` as the items that they are compared
    with."""
    if suite is None:
        return {}
    with _find_file(suite, SUITE_FILES).open("rb") as lines:
        return collect_held_out(read_suite(lines), redacted=redacted)


def _parse_catalogue(path: Path) -> list[SelectorTarget]:
    try:
        return _SELECTOR_TARGETS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise UnreadableSource(f"{path.name}: {describe_validation_error(error)}") from error


def _find_file(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UnreadableSource(f"artifact {folder.name[:12]} holds no {' or '.join(names)}")
