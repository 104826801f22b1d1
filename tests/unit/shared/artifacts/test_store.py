"""Content-addressed folders: the same content is one artifact, a changed byte is refused."""

import asyncio
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import SIGNATURE_FILE
from archon_contracts.formats.manifest import build_manifest
from archon_contracts.values import ArtifactRef
from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe
from tests.support.training.poison import plain

FILES = {"items.jsonl": b'{"input": "a"}\n', "deep/card.json": b"{}"}


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{tmp_path / 'store'}")


async def test_the_same_files_are_one_artifact(artifacts: ArtifactStore) -> None:
    first = await artifacts.publish_files(FILES)
    second = await artifacts.publish_files(dict(reversed(FILES.items())))
    assert first == second


async def test_a_fetched_folder_holds_the_files(artifacts: ArtifactStore) -> None:
    folder = await artifacts.fetch(await artifacts.publish_files(FILES))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


async def test_a_changed_byte_is_refused(artifacts: ArtifactStore) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "items.jsonl").write_bytes(b'{"input": "b"}\n')
    with pytest.raises(ArtifactCorrupt, match=r"items\.jsonl"):
        await artifacts.fetch(ref)
    with pytest.raises(ArtifactCorrupt, match=r"items\.jsonl"):
        await artifacts.read(ref, "items.jsonl")


async def test_a_changed_manifest_is_refused(artifacts: ArtifactStore) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "manifest.json").write_bytes(b"{}")
    with pytest.raises(ArtifactCorrupt, match="manifest"):
        await artifacts.fetch(ref)


async def test_a_removed_file_is_refused(artifacts: ArtifactStore) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "deep" / "card.json").unlink()
    with pytest.raises(ArtifactCorrupt, match=r"card\.json"):
        await artifacts.fetch(ref)


async def test_an_unknown_artifact_is_missing(artifacts: ArtifactStore) -> None:
    ref = ArtifactRef(uri="file:///elsewhere", digest="0" * 64)
    with pytest.raises(ArtifactMissing):
        await artifacts.fetch(ref)


async def test_a_folder_without_a_manifest_does_not_exist(artifacts: ArtifactStore) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "manifest.json").unlink()
    with pytest.raises(ArtifactMissing):
        await artifacts.read(ref, "items.jsonl")
    assert await artifacts.publish_files(FILES) == ref
    assert await artifacts.read(ref, "items.jsonl") == FILES["items.jsonl"]


SIGNER = Signer("11" * 32)
TRUSTED = TrustedKeys([SIGNER.public_key])


@pytest.mark.parametrize("signature", [None, b"{}", Signer("22" * 32).sign(b"another")])
async def test_publishing_again_with_a_key_signs_what_was_not_signed_well(
    artifacts: ArtifactStore, tmp_path: Path, signature: bytes | None
) -> None:
    ref = await artifacts.publish_files(FILES)
    if signature is not None:
        (await artifacts.fetch(ref) / SIGNATURE_FILE).write_bytes(signature)
    signing = ArtifactStore(f"file://{tmp_path / 'store'}", signer=SIGNER, trusted=TRUSTED)
    with pytest.raises(ArtifactCorrupt, match="sign"):
        await signing.fetch(ref)

    again = await signing.publish_files(FILES)

    assert again == ref
    assert await signing.read(ref, "items.jsonl") == FILES["items.jsonl"]


async def test_another_makers_trusted_signature_stays(tmp_path: Path) -> None:
    other = Signer("22" * 32)
    trusted = TrustedKeys([SIGNER.public_key, other.public_key])
    first, second = (
        ArtifactStore(f"file://{tmp_path}", signer=signer, trusted=trusted)
        for signer in (SIGNER, other)
    )
    ref = await first.publish_files(FILES)
    signed = (await first.fetch(ref) / SIGNATURE_FILE).read_bytes()

    await second.publish_files(FILES)

    assert (await first.fetch(ref) / SIGNATURE_FILE).read_bytes() == signed


@pytest.mark.parametrize("name", ["items.jsonl", "deep/card.json", "manifest.json", "beside.json"])
async def test_publishing_again_mends_what_was_changed(artifacts: ArtifactStore, name: str) -> None:
    ref = await artifacts.publish_files(FILES)
    folder = await artifacts.fetch(ref)
    (folder / name).write_bytes(b"changed")
    with pytest.raises(ArtifactCorrupt):
        await artifacts.fetch(ref)

    await artifacts.publish_files(FILES)

    assert {n: (await artifacts.fetch(ref) / n).read_bytes() for n in FILES} == FILES


async def test_what_is_whole_is_not_written_again(artifacts: ArtifactStore) -> None:
    folder = await artifacts.fetch(await artifacts.publish_files(FILES))
    before = {path: path.stat().st_ino for path in folder.rglob("*")}

    await artifacts.publish_files(FILES)

    assert {path: path.stat().st_ino for path in folder.rglob("*")} == before


async def test_readers_and_publishers_of_the_same_content_may_meet(
    artifacts: ArtifactStore,
) -> None:
    ref = await artifacts.publish_files(FILES)
    place = await artifacts.fetch(ref)
    (place / "items.jsonl").write_bytes(b"changed")

    await asyncio.gather(*(artifacts.publish_files(FILES) for _ in range(8)))
    found = await asyncio.gather(
        artifacts.publish_files(FILES), *(artifacts.fetch(ref) for _ in range(8))
    )

    assert set(found) == {ref, place}
    assert sorted(p.name for p in place.rglob("*") if p.name.endswith(".partial")) == []


async def test_a_mended_artifact_is_fetched_again_where_the_bad_one_was_kept(
    tmp_path: Path,
) -> None:
    url = f"memory://archon-mended-{tmp_path.name}"
    artifacts = ArtifactStore(url, cache_dir=tmp_path)
    ref = await artifacts.publish_files(FILES)
    stored = f"{artifacts._root}/{ref.digest[:2]}/{ref.digest}/items.jsonl"
    artifacts._fs.pipe_file(stored, b"changed")
    with pytest.raises(ArtifactCorrupt):
        await artifacts.fetch(ref)

    await artifacts.publish_files(FILES)

    assert (await artifacts.fetch(ref) / "items.jsonl").read_bytes() == FILES["items.jsonl"]


async def test_a_store_in_memory_works_like_one_on_disk(tmp_path: Path) -> None:
    artifacts = ArtifactStore("memory://archon-test", cache_dir=tmp_path)
    ref = await artifacts.publish_files(FILES)
    folder = await artifacts.fetch(ref)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert folder.is_relative_to(tmp_path)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.binary(max_size=20)))
def test_a_manifest_does_not_depend_on_the_order_of_files(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = {name: folder / name for name in files}
    assert build_manifest(paths) == build_manifest(dict(reversed(paths.items())))


@pytest.mark.parametrize("name", ["model.pt", "a/optimizer.bin", "notes.pkl", "x.joblib"])
async def test_a_file_with_a_pickles_name_is_not_stored(
    artifacts: ArtifactStore, name: str
) -> None:
    with pytest.raises(ArtifactUnsafe, match="safetensors"):
        await artifacts.publish_files({**FILES, name: b"harmless"})


@pytest.mark.parametrize("protocol", [2, 4, 5])
async def test_a_pickle_by_another_name_is_not_stored(
    artifacts: ArtifactStore, tmp_path: Path, protocol: int
) -> None:
    content = plain(tmp_path / "witness", protocol=protocol)

    with pytest.raises(ArtifactUnsafe, match=r"card\.json"):
        await artifacts.publish_files({"card.json": content})


@pytest.mark.parametrize("name", ["m.pkl", "m.json"])
async def test_a_pickle_that_somebody_else_stored_is_not_handed_out(
    artifacts: ArtifactStore, tmp_path: Path, name: str
) -> None:
    ref = _planted(tmp_path / "store", {name: plain(tmp_path / "witness")})

    with pytest.raises(ArtifactUnsafe):
        await artifacts.fetch(ref)


@pytest.mark.parametrize("name", ["adapter_config.json", "deep/pytorch_model.bin"])
async def test_a_file_beyond_the_manifest_is_refused(artifacts: ArtifactStore, name: str) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / name).write_bytes(b"{}")

    with pytest.raises(ArtifactCorrupt, match="not in the manifest"):
        await artifacts.fetch(ref)


async def test_what_another_publisher_still_writes_is_nobodys(artifacts: ArtifactStore) -> None:
    ref = await artifacts.publish_files(FILES)
    folder = await artifacts.fetch(ref)
    (folder / "items.jsonl.0123.partial").write_bytes(b"half")

    assert await artifacts.fetch(ref) == folder


@pytest.mark.parametrize("name", ["../../outside.json", "/outside.json"])
async def test_a_manifest_cannot_lead_outside(
    artifacts: ArtifactStore, tmp_path: Path, name: str
) -> None:
    ref = _planted(tmp_path / "store", {}, names=[name])

    with pytest.raises(ArtifactCorrupt, match="outside"):
        await artifacts.fetch(ref)


def _planted(store: Path, files: dict[str, bytes], names: Iterable[str] = ()) -> ArtifactRef:
    """An artifact whose manifest was not made by our code."""
    entries = {n: {"bytes": len(c), "sha256": _sha256(c)} for n, c in files.items()}
    entries |= {name: {"bytes": 0, "sha256": _sha256(b"")} for name in names}
    manifest = json.dumps(entries).encode()
    digest = _sha256(manifest)
    folder = store / digest[:2] / digest
    folder.mkdir(parents=True)
    for name, content in (files | {"manifest.json": manifest}).items():
        (folder / name).write_bytes(content)
    return ArtifactRef(uri=folder.as_uri(), digest=digest)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


OWN = {"head.dat": b"new head"}
BASE = {"head.dat": b"old head", "encoder.dat": b"weights" * 1000}


async def over(artifacts: ArtifactStore, folder: Path) -> tuple[ArtifactRef, ArtifactRef]:
    """An artifact, and one that differs from it in a file."""
    base = await artifacts.publish_files(BASE)
    for name, content in OWN.items():
        (folder / name).write_bytes(content)
    return base, await artifacts.publish_over(base, folder)


async def test_a_folder_over_another_is_the_artifact_of_all_files(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()

    _, ref = await over(artifacts, folder)

    assert ref == await artifacts.publish_files(BASE | OWN)
    fetched = await artifacts.fetch(ref)
    assert {name: (fetched / name).read_bytes() for name in BASE} == BASE | OWN


async def test_a_shared_file_takes_no_room_of_its_own(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()

    base, ref = await over(artifacts, folder)

    one, other = await artifacts.fetch(base), await artifacts.fetch(ref)
    assert (one / "encoder.dat").samefile(other / "encoder.dat")
    assert not (one / "head.dat").samefile(other / "head.dat")


async def test_a_damaged_shared_file_is_found_when_the_result_is_fetched(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    base = await artifacts.publish_files(BASE)
    (await artifacts.fetch(base) / "encoder.dat").write_bytes(b"damaged")
    folder = tmp_path / "own"
    folder.mkdir()

    ref = await artifacts.publish_over(base, folder)

    with pytest.raises(ArtifactCorrupt, match=r"encoder\.dat"):
        await artifacts.fetch(ref)


async def test_a_folder_over_nothing_is_refused(artifacts: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissing):
        await artifacts.publish_over(ArtifactRef(uri="file:///none", digest="0" * 64), tmp_path)


async def test_a_located_folder_has_the_manifest_of_its_digest(
    artifacts: ArtifactStore,
) -> None:
    ref = await artifacts.publish_files(FILES)

    folder = await artifacts.locate(ref)

    assert folder == await artifacts.fetch(ref)
    (folder / "manifest.json").write_bytes(b"{}")
    with pytest.raises(ArtifactCorrupt, match="manifest"):
        await artifacts.locate(ref)
