"""Checkpoints without pickles: safetensors and JSON, whole or not at all.

A checkpoint is written under a temporary name and renamed when its manifest is in it, so that a
killed process leaves none half-way. Nothing waits for the disk: after a power cut a file may be
torn, but `find_newest_checkpoint` hashes every one and passes over what is not whole, or holds a
file that the manifest does not name, or a pickle: transformers would load one if it found it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from archon_contracts.formats import MANIFEST_FILE
from archon_contracts.formats.manifest import (
    ManifestInvalid,
    build_manifest,
    check_folder,
    list_files,
)

RUN_FILE: Final = "run.json"
STATE_FILE: Final = "trainer_state.json"
_NAME = re.compile(r"^checkpoint-(\d+)$")
_STAGED = re.compile(r"^\.checkpoint-(\d+)\.\d+\.partial$")


@contextmanager
def stage_checkpoint(root: Path, step: int) -> Iterator[Path]:
    """A folder to write a checkpoint into; it gets its name when the block ends well.

    A trainer that was frozen past its lease leaves a child that writes on beside its successor's:
    each process has a folder of its own, and the first whole checkpoint of a step stays.
    """
    staged, final = root / f".checkpoint-{step}.{os.getpid()}.partial", root / f"checkpoint-{step}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    yield staged
    write_manifest(staged)
    if not is_complete(final):
        shutil.rmtree(final, ignore_errors=True)  # a torn one of an earlier life
    try:
        staged.replace(final)
    except OSError:
        if not is_complete(final):
            raise
        shutil.rmtree(staged)


def write_manifest(folder: Path) -> None:
    """List every file with its size and hash; the manifest is written last."""
    (folder / MANIFEST_FILE).write_bytes(build_manifest(list_files(folder)))


def is_complete(folder: Path) -> bool:
    """Whether the folder holds exactly what its manifest says, byte for byte, and no pickle."""
    try:
        check_folder(folder)
    except (OSError, ManifestInvalid):
        return False
    return True


def find_newest_checkpoint(root: Path) -> Path | None:
    """The whole checkpoint with the most steps, or None; torn ones are passed over."""
    return next((folder for folder in _by_step(root) if is_complete(folder)), None)


def prune_checkpoints(root: Path, count: int) -> None:
    """Remove all but the `count` checkpoints with the most steps, and what killed writers left.

    A half-written one of the newest step may be that of a writer beside us; older ones are of no
    use to anybody.
    """
    kept, over = _by_step(root)[:count], _by_step(root)[count:]
    newest = _step_of(kept[0]) if kept else 0
    for folder in (*over, *_abandoned(root, newest)):
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write one JSON file."""
    path.write_text(json.dumps(value, indent=1, default=str))


def _by_step(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    named = [path for path in root.iterdir() if _NAME.match(path.name) and path.is_dir()]
    return sorted(named, key=_step_of, reverse=True)


def _step_of(folder: Path) -> int:
    match = _NAME.match(folder.name)
    return int(match[1]) if match else 0


def _abandoned(root: Path, newest: int) -> list[Path]:
    """Folders that were being written for steps before `newest`."""
    found = {path: _STAGED.match(path.name) for path in root.iterdir()}
    return [path for path, match in found.items() if match and int(match[1]) < newest]
