"""Not one byte of a model may differ from what was signed."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from archon_inference import ModelFolderInvalid, verify_folder
from shared.artifacts.signing import Signer
from shared.artifacts.store import ArtifactStore
from tests.support.training.poison import plain

OURS, THEIRS = Signer("11" * 32), Signer("22" * 32)
FILES = {"model.safetensors": b"weights", "archon.json": b"{}", "deep/vocab.txt": b"a\nb\n"}


class SignedModel:
    """A folder as the artifact store made it, and its digest."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        self.digest = digest

    def verify(self, *keys: str) -> None:
        verify_folder(self.folder, self.digest, trusted_keys=keys)


async def published(root: Path, signer: Signer | None) -> SignedModel:
    store = ArtifactStore(f"file://{root / 'store'}", signer=signer)
    ref = await store.publish_files(FILES)
    return SignedModel(Path(ref.uri.removeprefix("file://")), ref.digest)


@pytest.fixture
async def signed(tmp_path: Path) -> SignedModel:
    return await published(tmp_path, OURS)


async def test_what_the_store_made_is_taken(signed: SignedModel) -> None:
    signed.verify(OURS.public_key)
    signed.verify(THEIRS.public_key, OURS.public_key.upper())
    signed.verify()


@pytest.mark.parametrize("name", [*FILES, "manifest.json", "manifest.sig"])
@pytest.mark.parametrize("place", [0, 1, -1], ids=["first", "second", "last"])
async def test_one_flipped_bit_is_refused(signed: SignedModel, name: str, place: int) -> None:
    path = signed.folder / name
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)

    with pytest.raises(ModelFolderInvalid):
        signed.verify(OURS.public_key)


@pytest.mark.parametrize("name", [*FILES, "manifest.json", "manifest.sig"])
async def test_a_lost_file_is_refused(signed: SignedModel, name: str) -> None:
    (signed.folder / name).unlink()

    with pytest.raises(ModelFolderInvalid):
        signed.verify(OURS.public_key)


@pytest.mark.parametrize("name", ["adapter_config.json", "pytorch_model.bin", "deep/x.txt"])
async def test_a_file_too_many_is_refused(signed: SignedModel, name: str) -> None:
    (signed.folder / name).write_bytes(b"{}")

    with pytest.raises(ModelFolderInvalid, match="not in the manifest"):
        signed.verify(OURS.public_key)


async def test_a_strangers_signature_is_refused(tmp_path: Path) -> None:
    theirs = await published(tmp_path, THEIRS)

    with pytest.raises(ModelFolderInvalid, match="not trusted"):
        theirs.verify(OURS.public_key)


async def test_an_unsigned_model_is_refused_where_keys_are_trusted(tmp_path: Path) -> None:
    unsigned = await published(tmp_path, None)

    unsigned.verify()
    with pytest.raises(ModelFolderInvalid, match="not signed"):
        unsigned.verify(OURS.public_key)


async def test_the_signature_of_another_model_is_refused(
    tmp_path: Path, signed: SignedModel
) -> None:
    store = ArtifactStore(f"file://{tmp_path / 'other'}", signer=OURS)
    other = Path((await store.publish_files({"a": b"b"})).uri.removeprefix("file://"))
    shutil.copy(other / "manifest.sig", signed.folder / "manifest.sig")

    with pytest.raises(ModelFolderInvalid, match="does not fit"):
        signed.verify(OURS.public_key)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname"])
def test_a_manifest_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.json").write_bytes(b"{}")
    folder = tmp_path / "model"
    folder.mkdir()
    manifest = json.dumps({name: {"sha256": "0" * 64, "bytes": 2}}).encode()
    (folder / "manifest.json").write_bytes(manifest)

    with pytest.raises(ModelFolderInvalid, match="outside"):
        verify_folder(folder, hashlib.sha256(manifest).hexdigest())


def test_a_pickle_is_refused_even_where_the_manifest_names_it(tmp_path: Path) -> None:
    content = plain(tmp_path / "witness")
    (tmp_path / "config.json").write_bytes(content)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest = json.dumps({"config.json": entry}).encode()
    (tmp_path / "manifest.json").write_bytes(manifest)

    with pytest.raises(ModelFolderInvalid, match="pickle"):
        verify_folder(tmp_path, hashlib.sha256(manifest).hexdigest())
