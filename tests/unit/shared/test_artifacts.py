"""Content-addressed folders: the same content is one artifact, a changed byte is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.values import ArtifactRef
from shared.artifacts import Artifacts, manifest_of
from shared.errors import ArtifactCorrupt, ArtifactMissing

FILES = {"items.jsonl": b'{"input": "a"}\n', "deep/card.json": b"{}"}


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(f"file://{tmp_path / 'store'}")


async def test_the_same_files_are_one_artifact(artifacts: Artifacts) -> None:
    first = await artifacts.publish_files(FILES)
    second = await artifacts.publish_files(dict(reversed(FILES.items())))
    assert first == second


async def test_a_fetched_folder_holds_the_files(artifacts: Artifacts) -> None:
    folder = await artifacts.fetch(await artifacts.publish_files(FILES))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


async def test_a_changed_byte_is_refused(artifacts: Artifacts) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "items.jsonl").write_bytes(b'{"input": "b"}\n')
    with pytest.raises(ArtifactCorrupt, match=r"items\.jsonl"):
        await artifacts.fetch(ref)
    with pytest.raises(ArtifactCorrupt, match=r"items\.jsonl"):
        await artifacts.read(ref, "items.jsonl")


async def test_a_changed_manifest_is_refused(artifacts: Artifacts) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "manifest.json").write_bytes(b"{}")
    with pytest.raises(ArtifactCorrupt, match="manifest"):
        await artifacts.fetch(ref)


async def test_a_removed_file_is_refused(artifacts: Artifacts) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "deep" / "card.json").unlink()
    with pytest.raises(ArtifactCorrupt, match=r"card\.json"):
        await artifacts.fetch(ref)


async def test_an_unknown_artifact_is_missing(artifacts: Artifacts) -> None:
    ref = ArtifactRef(uri="file:///elsewhere", digest="0" * 64)
    with pytest.raises(ArtifactMissing):
        await artifacts.fetch(ref)


async def test_a_folder_without_a_manifest_does_not_exist(artifacts: Artifacts) -> None:
    ref = await artifacts.publish_files(FILES)
    (await artifacts.fetch(ref) / "manifest.json").unlink()
    with pytest.raises(ArtifactMissing):
        await artifacts.read(ref, "items.jsonl")
    assert await artifacts.publish_files(FILES) == ref
    assert await artifacts.read(ref, "items.jsonl") == FILES["items.jsonl"]


async def test_a_store_in_memory_works_like_one_on_disk(tmp_path: Path) -> None:
    artifacts = Artifacts("memory://archon-test", cache_dir=tmp_path)
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
    assert manifest_of(paths) == manifest_of(dict(reversed(paths.items())))
