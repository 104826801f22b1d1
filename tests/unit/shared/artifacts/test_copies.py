"""Copies of a remote store: of one user, bounded, and mended where they are not what they were."""

import os
import stat
from pathlib import Path

import fsspec
import pytest

from archon_contracts.formats import SIGNATURE_FILE
from archon_contracts.private_folder import FolderNotPrivate
from archon_contracts.values import ArtifactRef
from shared.artifacts.copies import ArtifactCopies
from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactStoreRefused, ArtifactStoreUnavailable

FILES = {"model.txt": b"weights", "card.json": b"{}"}


def keep(copies: ArtifactCopies, digest: str, size: int, age_seconds: float = 0.0) -> Path:
    folder = copies.folder("s3://a", digest)
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * size)
    used = folder.stat().st_mtime - age_seconds
    os.utime(folder, (used, used))
    return folder


def test_the_least_used_copies_are_dropped_first(tmp_path: Path) -> None:
    copies = ArtifactCopies(tmp_path, max_bytes=250)
    old, older, new = (keep(copies, d, 100, age) for d, age in (("b", 5), ("a", 9), ("c", 1)))
    copies.trim(grace_seconds=0)
    assert (old.exists(), older.exists(), new.exists()) == (True, False, True)


def test_a_copy_looked_up_again_counts_as_used(tmp_path: Path) -> None:
    copies = ArtifactCopies(tmp_path, max_bytes=150)
    first, second = keep(copies, "a", 100, 190_000), keep(copies, "b", 100, 180_000)
    copies.folder("s3://a", "a")
    copies.trim()
    assert (first.exists(), second.exists()) == (True, False)


def test_a_copy_that_was_just_fetched_stays(tmp_path: Path) -> None:
    copies = ArtifactCopies(tmp_path, max_bytes=1)
    kept = keep(copies, "a", 100)
    copies.trim()
    assert kept.exists()


def test_only_the_owner_may_open_the_folder_of_copies(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir(mode=0o755)
    folder = ArtifactCopies(tmp_path / "copies").folder("s3://a", "a")
    assert stat.S_IMODE(folder.parent.parent.stat().st_mode) == 0o700


def test_a_linked_folder_of_copies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "copies").symlink_to(tmp_path)
    with pytest.raises(FolderNotPrivate, match="remove it"):
        ArtifactCopies(tmp_path / "copies").folder("s3://a", "a")


def test_copies_stand_in_the_users_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ArtifactCopies().folder("s3://a", "a").is_relative_to(tmp_path / "archon-training")


def remote(name: str, cache: Path, key: str) -> ArtifactStore:
    signer = Signer(key)
    return ArtifactStore(
        f"memory://{name}", cache_dir=cache, signer=signer, trusted=TrustedKeys([signer.public_key])
    )


async def test_a_copy_carries_the_signature_of_its_own_store(tmp_path: Path) -> None:
    one = remote(f"one-{tmp_path.name}", tmp_path, "11" * 32)
    two = remote(f"two-{tmp_path.name}", tmp_path, "22" * 32)
    refs = [await store.publish_files(FILES) for store in (one, two)]
    copies = [await store.copy(ref) for store, ref in zip((one, two), refs, strict=True)]
    signatures = [(copy / SIGNATURE_FILE).read_bytes() for copy in copies]
    assert refs[0].digest == refs[1].digest
    assert signatures[0] != signatures[1]


async def test_a_changed_copy_is_fetched_again(tmp_path: Path) -> None:
    store = remote(f"changed-{tmp_path.name}", tmp_path, "11" * 32)
    ref = await store.publish_files(FILES)
    copy = await store.copy(ref)
    (copy / "model.txt").write_bytes(b"other")
    (copy / "foreign.txt").write_bytes(b"other")
    again = await store.copy(ref)
    assert (again / "model.txt").read_bytes() == b"weights"
    assert not (again / "foreign.txt").exists()


class EndpointError(Exception):
    """A client library's own error, which is no OSError."""

    __module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (PermissionError("Access Denied"), ArtifactStoreRefused, "Access Denied"),
        (OSError(16, "SlowDown"), ArtifactStoreUnavailable, "SlowDown"),
        (EndpointError("no route"), ArtifactStoreUnavailable, "no route"),
    ],
)
async def test_a_fault_of_the_store_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, error: type, text: str
) -> None:
    def fails(*_arguments: object, **_named: object) -> bytes:
        raise fault

    store = remote(f"fault-{tmp_path.name}", tmp_path, "11" * 32)
    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "cat_file", fails)
    with pytest.raises(error, match=text):
        await store.fetch(ArtifactRef(uri="memory://x", digest="0" * 64))


@pytest.mark.parametrize(
    ("method", "right"), [("pipe_file", "write"), ("cat_file", "read"), ("rm_file", "delete")]
)
async def test_a_start_names_the_right_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, right: str
) -> None:
    def fails(*_arguments: object, **_named: object) -> None:
        raise PermissionError("Forbidden")

    store = remote(f"right-{tmp_path.name}", tmp_path, "11" * 32)
    await store.check_access()
    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, method, fails)
    with pytest.raises(ArtifactStoreRefused, match=f"ARCHON_ARTIFACTS_URL.*cannot {right}"):
        await store.check_access()
