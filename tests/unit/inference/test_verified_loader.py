"""Versions that share an encoder: it is read once, and what differs is checked each time."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from archon_contracts.formats import MANIFEST_FILE
from archon_contracts.formats.manifest import build_manifest, list_files
from archon_inference import ModelFolderInvalid, VerifiedLoader
from archon_inference.encoder import TextEncoder
from archon_inference.model_files import HEAD_FILE
from services.trainer.child import run as train
from shared.artifacts.signing import Signer
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec

Seal = Callable[[Path], str]


def seal(folder: Path) -> str:
    """Give the folder its manifest; returns its digest."""
    manifest = build_manifest(list_files(folder))
    (folder / MANIFEST_FILE).write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    spec = run_spec(root, tiny_encoder(root / "base"), kind="classifier", fine_tuning="never")
    return Path(train(spec, lambda _: None)["model_dir"])


@pytest.fixture
def first(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "first"))


@pytest.fixture
def second(trained: Path, tmp_path: Path) -> Path:
    """The same encoder with another head."""
    folder = Path(shutil.copytree(trained, tmp_path / "second"))
    labels = len(json.loads((folder / "archon.json").read_text())["labels"])
    weight = torch.zeros_like(load_file(folder / HEAD_FILE)["weight"])
    bias = torch.zeros(labels)
    bias[-1] = 100.0
    save_file({"weight": weight, "bias": bias}, folder / HEAD_FILE)
    return folder


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders whose encoder was read."""
    seen: list[Path] = []
    original = TextEncoder.load

    def load(folder: Path, *arguments: Any, **named: Any) -> TextEncoder:
        seen.append(folder)
        return original(folder, *arguments, **named)

    monkeypatch.setattr(TextEncoder, "load", load)
    return seen


def test_a_second_version_reads_its_head_alone(
    first: Path, second: Path, loads: list[Path]
) -> None:
    loader = VerifiedLoader()
    loader.load(first, seal(first))

    answer = loader.load(second, seal(second)).predict(["is it sunny"])[0].output

    assert loads == [first]
    assert answer == json.loads((second / "archon.json").read_text())["labels"][-1]


def test_another_encoder_is_read(first: Path, second: Path, loads: list[Path]) -> None:
    loader = VerifiedLoader()
    loader.load(first, seal(first))
    config = json.loads((second / "config.json").read_text()) | {"note": "another"}
    (second / "config.json").write_text(json.dumps(config))

    loader.load(second, seal(second))

    assert loads == [first, second]


@pytest.mark.parametrize(
    "name",
    ["archon.json", HEAD_FILE, "learnt.safetensors", MANIFEST_FILE, "model.safetensors"],
)
def test_a_changed_file_is_refused_though_the_encoder_is_known(
    first: Path, second: Path, name: str
) -> None:
    loader = VerifiedLoader()
    loader.load(first, seal(first))
    digest = seal(second)
    (second / name).write_bytes((second / name).read_bytes() + b" ")

    with pytest.raises(ModelFolderInvalid):
        loader.load(second, digest)


def test_a_file_that_the_manifest_does_not_name_is_refused(first: Path, second: Path) -> None:
    loader = VerifiedLoader()
    loader.load(first, seal(first))
    digest = seal(second)
    (second / "added.json").write_text("{}")

    with pytest.raises(ModelFolderInvalid):
        loader.load(second, digest)


def test_a_changed_encoder_is_refused_when_it_is_read(first: Path) -> None:
    digest = seal(first)
    (first / "model.safetensors").write_bytes(b"changed")

    with pytest.raises(ModelFolderInvalid):
        VerifiedLoader().load(first, digest)


def test_an_unsigned_version_is_refused_though_its_encoder_is_known(
    first: Path, second: Path
) -> None:
    signer = Signer("11" * 32)
    loader = VerifiedLoader(trusted_keys=[signer.public_key])
    digest = seal(first)
    (first / "manifest.sig").write_bytes(signer.sign((first / MANIFEST_FILE).read_bytes()))
    loader.load(first, digest)

    with pytest.raises(ModelFolderInvalid, match="not signed"):
        loader.load(second, seal(second))
