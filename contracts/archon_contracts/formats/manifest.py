"""The manifest of a folder: every file with its size and hash. Its own hash names the folder.

The one place that says whether a folder is what its manifest says; the artifact store, the
inference library and the trainer's checkpoints all use it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypedDict

from archon_contracts.formats.file_names import MANIFEST_FILE, SIGNATURE_FILE
from archon_contracts.pickles import is_pickle, may_be_pickle_by_name

PARTIAL_SUFFIX: Final = ".partial"
"""Files that a writer has not renamed yet; they are never listed."""


class ManifestInvalid(ValueError):
    """A folder or its manifest is not as it was published. The message begins with the fault."""


class UnsafeFile(ManifestInvalid):
    """A file may run code when it is loaded."""


class FileEntry(TypedDict):
    """One file of a manifest."""

    bytes: int
    sha256: str


Manifest = Mapping[str, FileEntry]
"""Entries by path relative to the folder, with forward slashes."""


def list_files(folder: Path) -> dict[str, Path]:
    """Every file below a folder but manifest, signature and partial files, by relative path."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {
        name: path
        for name, path in sorted(files.items())
        if name not in (MANIFEST_FILE, SIGNATURE_FILE) and not name.endswith(PARTIAL_SUFFIX)
    }


def describe_file(path: Path) -> FileEntry:
    """Size and hash of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def build_manifest(files: Mapping[str, Path]) -> bytes:
    """The manifest's bytes: JSON with sorted keys and no spaces, so equal content has one hash."""
    return dump_manifest({name: describe_file(path) for name, path in files.items()})


def dump_manifest(entries: Manifest) -> bytes:
    """The bytes of a manifest with these entries."""
    return json.dumps(entries, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def parse_manifest(content: bytes, digest: str | None = None) -> dict[str, FileEntry]:
    """The entries of a manifest, whose hash must be `digest` where one is named.

    Raises:
        ManifestInvalid: the hash differs, it is no manifest, or it names a path outside.
        UnsafeFile: a name is one of pickles.
    """
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise ManifestInvalid(f"the manifest does not hash to {digest}")
    try:
        entries: dict[str, Any] = json.loads(content)
        for name, entry in entries.items():
            check_name(name)
            if not isinstance(entry["sha256"], str):
                raise ManifestInvalid(f"the manifest has no hash for {name}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, ManifestInvalid):
            raise
        raise ManifestInvalid("the manifest cannot be read") from error
    return entries


def check_name(name: str) -> None:
    """Refuse a path outside the folder, and the name of a pickle.

    Raises:
        ManifestInvalid: it leads outside.
        UnsafeFile: files of this name are pickles.
    """
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ManifestInvalid(f"the manifest names {name}, which is outside of the folder")
    if may_be_pickle_by_name(name):
        raise UnsafeFile(f"{name} is a pickle by its name, and none is ever loaded")


def check_file(folder: Path, name: str, entry: FileEntry) -> None:
    """Compare one file with its entry.

    Raises:
        ManifestInvalid: it is missing, was changed, or lies outside through a link.
        UnsafeFile: it is a pickle.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ManifestInvalid(f"the manifest names {name}, which is outside of the folder")
    if not path.is_file():
        raise ManifestInvalid(f"{name} is missing")
    if describe_file(path)["sha256"] != entry["sha256"]:
        raise ManifestInvalid(f"{name} was changed")
    if is_pickle(path):
        raise UnsafeFile(f"{name} is a pickle, and none is ever loaded")


def list_unlisted(folder: Path, names: Iterable[str]) -> list[str]:
    """Files that the manifest does not name. A library loads what it finds, so none may be there.

    Partial files are passed over: two publishers of the same content may meet in one folder.
    """
    return sorted(list_files(folder).keys() - set(names))


def check_folder(folder: Path, digest: str | None = None) -> dict[str, FileEntry]:
    """Check every byte of a folder; returns its entries.

    Raises:
        ManifestInvalid: a file is missing, changed or not listed, or the manifest is not the one.
        UnsafeFile: a file is a pickle.
    """
    try:
        content = (folder / MANIFEST_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ManifestInvalid(f"there is no {MANIFEST_FILE}") from error
    entries = parse_manifest(content, digest)
    # Names before bytes: a foreign file is found without reading gigabytes.
    check_unlisted(folder, entries)
    for name, entry in entries.items():
        check_file(folder, name, entry)
    return entries


def check_unlisted(folder: Path, names: Iterable[str]) -> None:
    """Raises ManifestInvalid when a file is there that the manifest does not name, or a link.

    A link is none of the artifact's bytes: a linked folder's files would be loaded unchecked.
    """
    links = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink()
    )
    if links:
        raise ManifestInvalid(f"{', '.join(links)} is a link; a checked folder holds files only")
    if unlisted := list_unlisted(folder, names):
        raise ManifestInvalid(f"{', '.join(unlisted)} is not in the manifest")
