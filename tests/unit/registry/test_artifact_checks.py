"""Which folders are whole models, and that a changed or unsigned one is not deployed."""

import json
import struct
from pathlib import Path

import pytest

from archon_contracts.values import ArtifactRef
from services.registry.artifact_checks import ArtifactChecks, require_whole_model
from services.registry.errors import ModelUnusable
from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing

KEY = "11" * 32


def tensors(**rows: int) -> bytes:
    """A safetensors file with a float32 vector of one column per name."""
    table, at = {}, 0
    for name, count in rows.items():
        table[name] = {"dtype": "F32", "shape": [count, 1], "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    header = json.dumps(table).encode()
    return struct.pack("<Q", len(header)) + header + bytes(at)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier with two labels."""
    made = tmp_path / "model"
    made.mkdir()
    card = {"kind": "classifier", "labels": ["yes", "no"]}
    (made / "archon.json").write_text(json.dumps(card))
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(tensors(embedding=5))
    (made / "head.safetensors").write_bytes(tensors(weight=2, bias=2))
    return made


def test_a_whole_model_is_accepted(folder: Path) -> None:
    require_whole_model(folder)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("archon.json", b"{", "archon.json is not JSON"),
        ("archon.json", b'{"kind": "oracle"}', "names no kind"),
        ("config.json", b"not json", "config.json is not JSON"),
        ("model.safetensors", b"", "not a whole safetensors file"),
        ("model.safetensors", tensors(embedding=5)[:-1], "cut off"),
        ("model.safetensors", tensors(embedding=5) + b"x", "cut off or has gaps"),
        ("model.safetensors", struct.pack("<Q", 9) + b"[1, 2, 3]", "no readable table"),
        ("model.safetensors", struct.pack("<Q", 2**62) + b"{}", "not a whole safetensors file"),
        ("head.safetensors", tensors(weight=3, bias=3), "3 rows for 2 labels"),
    ],
)
def test_a_broken_file_is_named(folder: Path, name: str, content: bytes, sentence: str) -> None:
    (folder / name).write_bytes(content)

    with pytest.raises(ModelUnusable, match=sentence):
        require_whole_model(folder)


def test_a_folder_without_weights_is_no_model(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.unlink()

    with pytest.raises(ModelUnusable, match=r"holds no \.safetensors"):
        require_whole_model(folder)


async def test_a_model_that_nobody_trusted_signed_is_refused(folder: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    unsigned = await ArtifactStore(url).publish(folder)
    trusted = TrustedKeys([Signer(KEY).public_key])
    checks = ArtifactChecks(ArtifactStore(url, trusted=trusted))

    for check in (checks.require_maker, checks.require_loadable):
        with pytest.raises(ArtifactCorrupt, match="not signed"):
            await check(unsigned)

    signed = await ArtifactStore(url, signer=Signer(KEY)).publish(folder)
    await checks.require_maker(signed)
    await checks.require_loadable(signed)


async def test_changed_and_missing_artifacts_are_refused(folder: Path, tmp_path: Path) -> None:
    store = ArtifactStore(f"file://{tmp_path}/store")
    checks, ref = ArtifactChecks(store), await store.publish(folder)
    weights = Path(ref.uri.removeprefix("file://")) / "model.safetensors"
    weights.write_bytes(tensors(embedding=6))

    with pytest.raises(ArtifactCorrupt, match="was changed"):
        await checks.require_loadable(ref)
    with pytest.raises(ArtifactMissing):
        await checks.require_maker(ArtifactRef(uri=ref.uri, digest="0" * 64))


async def test_a_whole_artifact_of_no_model_is_unusable(tmp_path: Path) -> None:
    store = ArtifactStore(f"file://{tmp_path}/store")
    ref = await store.publish_files({"items.jsonl": b"{}"})

    with pytest.raises(ModelUnusable, match=r"holds no archon\.json"):
        await ArtifactChecks(store).require_loadable(ref)
