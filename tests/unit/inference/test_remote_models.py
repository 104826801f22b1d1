"""Base models of other machines: pinned, allow-listed, safetensors alone."""

import uuid
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from archon_contracts.base_model_uris import read_base_model_uri
from archon_inference.base_models import digest_of_files, resolve_base_model
from archon_inference.errors import BaseModelChanged, BaseModelMissing
from archon_inference.remote.base_models import RemoteModels

FILES = {"config.json": b"{}", "model.safetensors": b"weights", "tokenizer.json": b"[]"}
NEVER_FETCHED = {"pytorch_model.bin": b"a pickle", "modeling.py": b"code"}
REVISION = "c" * 40
OTHER_DIGEST = "0" * 64


class HubInMemory(MemoryFileSystem):  # type: ignore[misc]  # untyped there
    """Stands in for the hub's file system, whose addresses have the same form."""

    protocol = "hf"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped: str = super()._strip_protocol(path.replace("hf://", "memory://"))
        return stripped


@pytest.fixture
def address() -> str:
    """A folder with a model, a pickle and code."""
    root = f"/models-{uuid.uuid4().hex}/encoder"
    files = fsspec.filesystem("memory")
    for name, content in (FILES | NEVER_FETCHED).items():
        files.pipe_file(f"{root}/{name}", content)
    return f"memory:/{root}"


@pytest.fixture
def digest(tmp_path: Path) -> str:
    """Of the files that are fetched."""
    folder = tmp_path / "expected"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return digest_of_files(folder)


def fetch(uri: str, cache: Path, *sources: str) -> Path:
    """The folder of a model that was fetched."""
    RemoteModels(sources or ("memory://", "hf://"), cache).fetch_now(uri)
    return resolve_base_model(uri, cache)


def test_a_model_is_fetched_once_without_pickles_and_code(
    tmp_path: Path, address: str, digest: str
) -> None:
    uri = f"{address}#sha256={digest}"

    folder = fetch(uri, tmp_path)
    fsspec.filesystem("memory").rm(address.removeprefix("memory:/"), recursive=True)
    again = fetch(uri, tmp_path)

    assert folder == again
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_a_model_of_the_hub_is_named_by_its_revision(tmp_path: Path, digest: str) -> None:
    fsspec.register_implementation("hf", HubInMemory, clobber=True)
    for name, content in FILES.items():
        HubInMemory().pipe_file(f"/owner/small@{REVISION}/{name}", content)

    folder = fetch(f"hf://owner/small@{REVISION}#sha256={digest}", tmp_path, "hf://owner/")

    assert (folder / "model.safetensors").read_bytes() == b"weights"


def test_other_files_than_the_pinned_ones_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(BaseModelChanged, match="look at what changed"):
        fetch(f"{address}#sha256={OTHER_DIGEST}", tmp_path)
    assert not list((tmp_path / "remote").iterdir())


def test_a_source_that_nobody_allowed_is_refused(tmp_path: Path, address: str, digest: str) -> None:
    with pytest.raises(BaseModelMissing, match="ARCHON_BASE_MODEL_SOURCES"):
        fetch(f"{address}#sha256={digest}", tmp_path, "s3://models/")


def test_a_folder_of_pickles_is_no_model(tmp_path: Path, digest: str) -> None:
    fsspec.filesystem("memory").pipe_file("/pickled/pytorch_model.bin", b"a pickle")

    with pytest.raises(BaseModelMissing, match="pickles are not loaded"):
        fetch(f"memory://pickled#sha256={digest}", tmp_path)


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("s3://models/encoder", "pins no content"),
        ("s3://models/encoder#sha256=abc", "pins no content"),
        (f"hf://owner/name@main#sha256={OTHER_DIGEST}", "names no revision"),
        (f"s3://models/../secrets#sha256={OTHER_DIGEST}", "name the folder alone"),
        ("bert-base", "is no base model URI"),
    ],
)
def test_an_address_that_pins_nothing_is_refused(uri: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_base_model_uri(uri)
