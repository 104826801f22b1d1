"""Folders of one user, also below the temporary directory, which everybody may write to."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

OWNER_ONLY = 0o700


class FolderNotPrivate(RuntimeError):
    """Somebody else could put files into the folder, or it is a link."""


def private_temporary_folder(name: str) -> Path:
    """A folder of this user in the temporary directory; the same one for the same name.

    Its path can be foreseen, so another user may have made it first: it must be a real folder that
    belongs to this user and that nobody else can open. Models are loaded from such folders.

    Raises:
        FolderNotPrivate: it is not; the message says what to do.
    """
    return make_private(Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}", "set TMPDIR")


def make_private(folder: Path, instead: str = "set XDG_CACHE_HOME") -> Path:
    """A folder that belongs to this user and that nobody else can open; made where there is none.

    Raises:
        FolderNotPrivate: it is a link or another user's; the message says what to do.
    """
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FolderNotPrivate(f"{folder} is not a folder of this user; remove it, or {instead}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(OWNER_ONLY)
    return folder
