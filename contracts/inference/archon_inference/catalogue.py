"""A selector's catalogue: the tools it chooses from, and how a tool reads as text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archon_inference.errors import ModelFolderInvalid

CATALOGUE_FILE = "catalogue.json"
EMBEDDINGS_FILE = "catalogue.safetensors"

_LOWER_TO_UPPER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[._\s]+")


@dataclass(frozen=True, slots=True)
class Tool:
    """One entry of the catalogue."""

    name: str
    description: str

    @property
    def text(self) -> str:
        """What the encoder reads: the name in words, then the description."""
        spaced = _LOWER_TO_UPPER.sub(" ", self.name)
        return f"{_SEPARATORS.sub(' ', spaced).strip()}: {self.description}"


def read_catalogue(path: Path) -> list[Tool]:
    """The tools in `path`, a catalogue file or a folder that holds `catalogue.json`.

    Raises:
        ModelFolderInvalid: it is missing, empty, not a catalogue, or names a tool twice.
    """
    file = path / CATALOGUE_FILE if path.is_dir() else path
    try:
        tools = [
            Tool(str(row["name"]), str(row["description"])) for row in json.loads(file.read_bytes())
        ]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelFolderInvalid(f"{file} is no list of name and description: {error}") from error
    if not tools:
        raise ModelFolderInvalid(f"{file} holds no tool")
    if len({tool.name for tool in tools}) != len(tools):
        raise ModelFolderInvalid(f"{file} names a tool twice")
    return tools


def write_catalogue(path: Path, tools: Sequence[Tool]) -> None:
    """Write `tools` as a catalogue file."""
    rows = [{"name": tool.name, "description": tool.description} for tool in tools]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
