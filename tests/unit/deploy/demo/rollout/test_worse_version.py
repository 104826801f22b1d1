"""The version that the demo makes worse by hand."""

from pathlib import Path

from archon_inference.catalogue import Tool, read_catalogue, write_catalogue
from deploy.demo.rollout.worse_version import exchange_names, publish_worse
from shared.artifacts.signing import Signer
from shared.artifacts.store import ArtifactStore

TOOLS = [Tool(name, f"does {name}") for name in "abcdefghi"]


def test_half_of_the_tools_stand_where_another_stood() -> None:
    mixed = exchange_names(TOOLS)

    assert sorted(tool.name for tool in mixed) == [tool.name for tool in TOOLS]
    moved = [tool.name for tool, before in zip(mixed, TOOLS, strict=True) if tool != before]
    assert moved == ["b", "a", "f", "e"]


async def test_the_worse_version_is_whole_and_signed_and_differs_in_its_catalogue_alone(
    tmp_path: Path,
) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri(), signer=Signer("11" * 32))
    folder = tmp_path / "model"
    folder.mkdir()
    write_catalogue(folder / "catalogue.json", TOOLS)
    (folder / "vocab.txt").write_bytes(b"weights")
    good = await store.publish(folder)

    worse = await publish_worse(store, good.uri)

    path = Path(worse.uri.removeprefix("file://"))
    assert worse.digest != good.digest
    assert read_catalogue(path) == exchange_names(TOOLS)
    assert (path / "vocab.txt").read_bytes() == b"weights"
    assert await store.read_model(worse, "catalogue.json")
