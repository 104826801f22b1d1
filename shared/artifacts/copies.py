"""Local copies of a remote store's artifacts: owner-only, bounded, least used dropped first.

A copy is kept under the store that it came from as well as under its digest: two systems may hold
the same files with signatures of different keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from archon_contracts.private_folder import make_private, private_temporary_folder

FOLDER_NAME: Final = "archon-training"
DEFAULT_BYTES: Final = 20_000_000_000
GRACE_SECONDS: Final = 86_400.0
"""A copy used within this time is never dropped: whoever fetched it may not have read it yet."""


class ArtifactCopies:
    """The copies of one user on this machine; processes may share them."""

    def __init__(self, root: Path | None = None, *, max_bytes: int = DEFAULT_BYTES) -> None:
        self._root = root
        self._max_bytes = max_bytes

    def folder(self, store: str, digest: str) -> Path:
        """Where the copy of an artifact stands, or will stand; it counts as used now."""
        folder = self._private_root() / hashlib.sha256(store.encode()).hexdigest()[:16] / digest
        with contextlib.suppress(FileNotFoundError):
            os.utime(folder)
        return folder

    def drop(self, folder: Path) -> None:
        """Remove a copy, at once for whoever looks it up."""
        # The name is gone before the files are: nobody finds half of a copy.
        doomed = folder.with_name(f".{folder.name}.{os.getpid()}.{time.monotonic_ns()}")
        with contextlib.suppress(FileNotFoundError):
            folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def trim(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """Drop the least used copies until the rest fits."""
        now, found = time.time(), []
        for folder in self._private_root().glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((folder.stat().st_mtime, _size(folder), folder))
        total = sum(size for _, size, _ in found)
        for used, size, folder in sorted(found):
            if total <= self._max_bytes or now - used < grace_seconds:
                return
            self.drop(folder)
            total -= size

    def _private_root(self) -> Path:
        return make_private(self._root) if self._root else _users_cache()


def _users_cache() -> Path:
    """The user's cache folder; the temporary one where there is none, as in a read-only container.

    Raises:
        FolderNotPrivate: it is not this user's.
    """
    folder = user_cache_path(FOLDER_NAME, appauthor=False) / "artifacts"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return make_private(folder)
    except OSError:
        return private_temporary_folder("archon-artifacts")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total
