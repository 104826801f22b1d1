"""Integrity of artifacts: hashed once, and again when a file of theirs is another one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Final, NamedTuple

from archon_contracts.values import ArtifactRef
from shared.artifacts.store import ArtifactStore

MAX_REMEMBERED: Final = 1_000


class FileState(NamedTuple):
    """What changes with a file's content, unless somebody sets it back."""

    name: str
    size: int
    modified_ns: int
    inode: int


class IntegrityChecks:
    """Fetches an artifact, which hashes every byte, unless its files are as they were then.

    An artifact has some hundred megabytes: hashing it for each call would let one caller occupy a
    core. Whoever loads a model hashes it again.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._checked: OrderedDict[str, tuple[Path, frozenset[FileState]]] = OrderedDict()
        # One at a time: calls that arrive together wait for the first one's result.
        self._lock = asyncio.Lock()

    async def check(self, ref: ArtifactRef) -> None:
        """Raises as `ArtifactStore.fetch` does."""
        async with self._lock:
            known = self._checked.get(ref.digest)
            if known is not None and await asyncio.to_thread(_states, known[0]) == known[1]:
                return
            self._checked.pop(ref.digest, None)
            folder = await self._artifacts.fetch_model(ref)
            self._checked[ref.digest] = (folder, await asyncio.to_thread(_states, folder))
            if len(self._checked) > MAX_REMEMBERED:
                self._checked.popitem(last=False)


def _states(folder: Path) -> frozenset[FileState]:
    """Every file below the folder; a link is itself, and not what it leads to."""
    found = []
    for path in folder.rglob("*"):
        stat = path.lstat()
        found.append(
            FileState(str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns, stat.st_ino)
        )
    return frozenset(found)
