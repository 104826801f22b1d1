"""Is a model folder what its digest and its maker's signature say? Ask before it is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from archon_contracts.pickles import is_pickle
from archon_inference.errors import ModelFolderInvalid

MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "manifest.sig"


def verify_folder(folder: Path, digest: str, *, trusted_keys: Iterable[str] = ()) -> None:
    """Check every byte of an artifact's folder, and who made it.

    `digest` is that of `ArtifactRef`; `trusted_keys` are Ed25519 public keys in hex. Without any,
    a folder need not be signed.

    Raises:
        ModelFolderInvalid: a file was changed, added or lost, is a pickle, or the manifest is not
            signed by one of the keys.
    """
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ModelFolderInvalid(f"{folder} has no {MANIFEST_FILE}") from error
    if hashlib.sha256(manifest).hexdigest() != digest:
        raise ModelFolderInvalid(f"the manifest in {folder} does not hash to {digest}")
    if keys := [key for key in trusted_keys if key]:
        _verify_signature(folder, manifest, keys)
    entries: dict[str, dict[str, Any]] = json.loads(manifest)
    _reject_unlisted_files(folder, entries)
    for name, entry in entries.items():
        _verify_file(folder, name, entry["sha256"])


def _reject_unlisted_files(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    """A library loads what it finds: a file beyond the manifest is as bad as a changed one."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    unlisted = sorted(files - {MANIFEST_FILE, SIGNATURE_FILE, *entries})
    if unlisted:
        raise ModelFolderInvalid(f"{folder} holds {', '.join(unlisted)} beyond its manifest")


def _verify_file(folder: Path, name: str, sha256: str) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelFolderInvalid(f"the manifest in {folder} names {name}, which is outside of it")
    if not path.is_file():
        raise ModelFolderInvalid(f"{name} in {folder} is missing")
    if is_pickle(path):
        raise ModelFolderInvalid(f"{name} in {folder} is a pickle, and none is ever loaded")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ModelFolderInvalid(f"{name} in {folder} was changed")


def _verify_signature(folder: Path, manifest: bytes, trusted_keys: list[str]) -> None:
    # Imported here: an agent that checks no signatures need not have it.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    path = folder / SIGNATURE_FILE
    if not path.is_file():
        raise ModelFolderInvalid(f"{folder} is not signed, and only signed models are trusted")
    try:
        content = json.loads(path.read_bytes())
        signer, signature = str(content["public_key"]), bytes.fromhex(content["signature"])
        trusted = {key.lower() for key in trusted_keys}
        if signer not in trusted:
            raise ModelFolderInvalid(f"{folder} is signed by a key that is not trusted")
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(signature, manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFolderInvalid(f"the signature of {folder} cannot be read") from error
    except InvalidSignature as error:
        raise ModelFolderInvalid(f"the signature of {folder} does not fit its manifest") from error
