"""The model folder must be what its digest says."""

import hashlib
import json
from pathlib import Path

import pytest

from archon_contracts.values import ArtifactRef
from deploy.demo.live_model import DigestMismatchError, verified_folder


def folder_with_weights(folder: Path) -> ArtifactRef:
    (folder / "model.safetensors").write_bytes(b"weights")
    entry = {"sha256": hashlib.sha256(b"weights").hexdigest(), "bytes": 7}
    manifest = json.dumps({"model.safetensors": entry}).encode()
    (folder / "manifest.json").write_bytes(manifest)
    return ArtifactRef(uri=folder.as_uri(), digest=hashlib.sha256(manifest).hexdigest())


def test_an_untouched_folder_is_taken(tmp_path: Path) -> None:
    assert verified_folder(folder_with_weights(tmp_path)) == tmp_path


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    artifact = folder_with_weights(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"other")

    with pytest.raises(DigestMismatchError, match=r"model\.safetensors"):
        verified_folder(artifact)


def test_a_changed_manifest_is_refused(tmp_path: Path) -> None:
    artifact = folder_with_weights(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")

    with pytest.raises(DigestMismatchError, match="manifest"):
        verified_folder(artifact)
