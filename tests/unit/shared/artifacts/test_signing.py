"""Only artifacts of trusted makers are read, and not one byte may change."""

from pathlib import Path

import pytest

from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, StartupFailed

OURS, THEIRS = Signer("11" * 32), Signer("22" * 32)
FILES = {"model.safetensors": b"weights"}


def _store(folder: Path, signer: Signer | None, trusted: Signer | None) -> ArtifactStore:
    keys = TrustedKeys([trusted.public_key]) if trusted else None
    return ArtifactStore(f"file://{folder}", signer=signer, trusted=keys)


async def test_a_signed_artifact_is_read(tmp_path: Path) -> None:
    store = _store(tmp_path, OURS, OURS)
    ref = await store.publish_files(FILES)
    assert await store.read(ref, "model.safetensors") == b"weights"


async def test_an_unsigned_artifact_is_refused(tmp_path: Path) -> None:
    ref = await _store(tmp_path, None, None).publish_files(FILES)
    with pytest.raises(ArtifactCorrupt, match="not signed"):
        await _store(tmp_path, None, OURS).fetch(ref)


async def test_a_strangers_signature_is_refused(tmp_path: Path) -> None:
    ref = await _store(tmp_path, THEIRS, None).publish_files(FILES)
    with pytest.raises(ArtifactCorrupt, match="not trusted"):
        await _store(tmp_path, None, OURS).fetch(ref)


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json", "manifest.sig"])
async def test_one_changed_byte_is_refused(tmp_path: Path, name: str) -> None:
    store = _store(tmp_path, OURS, OURS)
    ref = await store.publish_files(FILES)
    folder = await store.fetch(ref)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactCorrupt):
        await store.fetch(ref)


def test_a_bad_key_names_its_setting() -> None:
    with pytest.raises(StartupFailed, match="ARCHON_ARTIFACTS_SIGNING_KEY"):
        Signer("short")
    with pytest.raises(StartupFailed, match="ARCHON_ARTIFACTS_TRUSTED_KEYS"):
        TrustedKeys(["zz"])


def _model_store(folder: Path, signer: Signer) -> ArtifactStore:
    """OURS is the trainer's key; THEIRS is another role's, good for everything but models."""
    trusted = TrustedKeys([OURS.public_key, THEIRS.public_key])
    makers = TrustedKeys([OURS.public_key])
    return ArtifactStore(f"file://{folder}", signer=signer, trusted=trusted, model_makers=makers)


async def test_only_a_trainers_signature_makes_a_model(tmp_path: Path) -> None:
    other, trainer = _model_store(tmp_path, THEIRS), _model_store(tmp_path, OURS)
    ref = await other.publish_files(FILES)

    assert await trainer.read(ref, "model.safetensors") == b"weights"
    with pytest.raises(ArtifactCorrupt, match="not trusted"):
        await trainer.fetch_model(ref)
    with pytest.raises(ArtifactCorrupt, match="not trusted"):
        await trainer.read_model(ref, "model.safetensors")


async def test_a_trainer_signs_again_what_another_role_published(tmp_path: Path) -> None:
    other, trainer = _model_store(tmp_path, THEIRS), _model_store(tmp_path, OURS)
    await other.publish_files(FILES)

    ref = await trainer.publish_files(FILES)
    await other.publish_files(FILES)

    assert await other.read_model(ref, "model.safetensors") == b"weights"
