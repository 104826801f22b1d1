"""Is a model folder what its digest and its maker's signature say? Ask before it is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from archon_contracts.formats import MANIFEST_FILE, SIGNATURE_FILE
from archon_contracts.formats.manifest import (
    FileEntry,
    ManifestInvalid,
    check_file,
    check_folder,
    check_unlisted,
    parse_manifest,
)
from archon_inference.errors import ModelFolderInvalid


def verify_folder(
    folder: Path, digest: str, *, trusted_keys: Iterable[str] = ()
) -> dict[str, FileEntry]:
    """Check every byte of an artifact's folder, and who made it; returns its manifest's entries.

    `digest` is that of `ArtifactRef`; `trusted_keys` are Ed25519 public keys in hex. Without any,
    a folder need not be signed.

    Raises:
        ModelFolderInvalid: a file was changed, added or lost, is a pickle, or the manifest is not
            signed by one of the keys.
    """
    try:
        _verify_maker(folder, trusted_keys)
        return check_folder(folder, digest)
    except FileNotFoundError as error:
        raise ModelFolderInvalid(f"{folder} has no {MANIFEST_FILE}") from error
    except ManifestInvalid as error:
        raise ModelFolderInvalid(f"{folder}: {error}") from error


def read_verified_manifest(
    folder: Path, digest: str, *, trusted_keys: Iterable[str] = ()
) -> dict[str, FileEntry]:
    """The entries of a manifest that is what its digest says, and of a trusted maker.

    None of its files is read. Raises as `verify_folder` does.
    """
    try:
        _verify_maker(folder, trusted_keys)
        return parse_manifest((folder / MANIFEST_FILE).read_bytes(), digest)
    except FileNotFoundError as error:
        raise ModelFolderInvalid(f"{folder} has no {MANIFEST_FILE}") from error
    except ManifestInvalid as error:
        raise ModelFolderInvalid(f"{folder}: {error}") from error


def verify_files(folder: Path, entries: Mapping[str, FileEntry], names: Iterable[str]) -> None:
    """Check every byte of some files, and that none lies there that the manifest does not name.

    Raises:
        ModelFolderInvalid: a file was changed, added or lost, or is a pickle.
    """
    try:
        for name in names:
            check_file(folder, name, entries[name])
        check_unlisted(folder, entries)
    except ManifestInvalid as error:
        raise ModelFolderInvalid(f"{folder}: {error}") from error


def _verify_maker(folder: Path, trusted_keys: Iterable[str]) -> None:
    """Check the manifest's signature; without keys, a folder need not be signed.

    Raises:
        ModelFolderInvalid: it is not signed by one of the keys.
        FileNotFoundError: there is no manifest.
    """
    # Before the bytes: a folder that nobody trusted has signed need not be hashed.
    if keys := [key for key in trusted_keys if key]:
        _verify_signature(folder, (folder / MANIFEST_FILE).read_bytes(), keys)


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
