"""An artifact is hashed once, and again when one of its files is another."""

import asyncio
import os
from pathlib import Path

import pytest

from archon_contracts.values import ArtifactRef
from services.gateway.functions.integrity import IntegrityChecks
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt


class CountingStore(ArtifactStore):
    """Counts how often an artifact was hashed."""

    hashed = 0

    async def fetch_model(self, ref: ArtifactRef) -> Path:
        self.hashed += 1
        return await super().fetch_model(ref)


async def published(folder: Path) -> tuple[CountingStore, ArtifactRef, Path]:
    store = CountingStore(folder.as_uri())
    ref = await store.publish_files({"model.safetensors": b"weights", "card.json": b"{}"})
    return store, ref, folder / ref.digest[:2] / ref.digest


async def test_many_calls_hash_an_artifact_once(tmp_path: Path) -> None:
    store, ref, _ = await published(tmp_path)
    checks = IntegrityChecks(store)

    await asyncio.gather(*(checks.check(ref) for _ in range(5)))

    assert store.hashed == 1


@pytest.mark.parametrize("change", ["content", "same size and time", "another file"])
async def test_a_changed_file_is_hashed_and_found(tmp_path: Path, change: str) -> None:
    store, ref, folder = await published(tmp_path)
    checks = IntegrityChecks(store)
    await checks.check(ref)

    weights = folder / "model.safetensors"
    if change == "content":
        weights.write_bytes(b"weighty")
    elif change == "another file":
        (folder / "extra.json").write_bytes(b"{}")
    else:
        before = weights.stat()
        other = folder.parent / "other"
        other.write_bytes(b"WEIGHTS")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.rename(weights)

    for _ in range(2):
        with pytest.raises(ArtifactCorrupt):
            await checks.check(ref)
