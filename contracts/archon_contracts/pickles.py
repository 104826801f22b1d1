"""Files that run code when they are loaded: pickles, by their names and by their first bytes.

Nothing in this system reads them; they are refused so that no library loads one implicitly.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

SUFFIXES: Final = frozenset(
    (
        *(".pkl", ".pickle", ".pck", ".pt", ".pth", ".ptl", ".bin", ".ckpt", ".joblib"),
        *(".dill", ".cloudpickle", ".npy", ".npz", ".h5", ".keras", ".mar"),
    )
)
_LONGEST_MAGIC: Final = 2
# Pickles of these protocols begin with the byte 0x80 and the protocol's number.
_PROTOCOLS: Final = range(2, 6)


def may_be_pickle_by_name(name: str) -> bool:
    """Whether files of this name are pickles, or may hold some."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its name, or by its content under another name.

    Pickles of protocols 0 and 1 have no magic bytes; only their names show them.
    """
    return may_be_pickle_by_name(path.name) or _has_pickled_content(path)


def pickles_in(folder: Path) -> list[str]:
    """Names, relative to the folder, of the pickles below it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path.relative_to(folder).as_posix() for path in files if is_pickle(path)]


def _has_pickled_content(path: Path) -> bool:
    # A safetensors file begins with a length, which may look like anything; only its own loader
    # reads it, and refuses whatever else stands there.
    if path.suffix == ".safetensors":
        return False
    with path.open("rb") as file:
        start = file.read(_LONGEST_MAGIC)
    if start[:1] == b"\x80" and len(start) == _LONGEST_MAGIC and start[1] in _PROTOCOLS:
        return True
    return start == b"PK" and _is_archive_of_pickles(path)


def _is_archive_of_pickles(path: Path) -> bool:
    """`torch.save` writes a zip archive with a pickle in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(may_be_pickle_by_name(name) for name in archive.namelist())
    except zipfile.BadZipFile:
        return False
