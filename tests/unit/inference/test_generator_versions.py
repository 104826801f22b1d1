"""Versions of a generator over one base model: it is read once, their adapters are swapped."""

import gc
import hashlib
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.formats import MANIFEST_FILE
from archon_contracts.formats.manifest import build_manifest, list_files
from archon_inference import ModelFolderInvalid, VerifiedLoader
from archon_inference.generation import causal_model
from archon_inference.generator import Generator
from services.trainer.child import run
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines

# PEFT still asks transformers by the old name.
QUESTION = "what is the weather"


def _version(root: Path, base: Path, target: str) -> Path:
    spec = run_spec(
        root, base, kind="generator", max_steps=40, epochs=40, max_length=32, max_new_tokens=2
    )
    rows = [{"id": str(n), "input": QUESTION, "target": target} for n in range(4)]
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "validation.jsonl", [])
    return Path(run(spec, lambda _: None)["model_dir"])


def _seal(folder: Path) -> str:
    manifest = build_manifest(list_files(folder))
    (folder / MANIFEST_FILE).write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("versions")
    base = tiny_causal_model(root / "base")
    return _version(root / "one", base, "rain"), _version(root / "two", base, "sunny")


def test_two_versions_answer_each_with_its_own_adapter_over_one_base_model(
    versions: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    original = causal_model.load_causal_model

    def load(folder: Path, **how: Any) -> Any:
        reads.append(folder)
        return original(folder, **how)

    monkeypatch.setattr(causal_model, "load_causal_model", load)
    loader = VerifiedLoader()
    one, two = (loader.load(folder, _seal(folder)) for folder in versions)

    answers = [each.predict([QUESTION])[0].output for each in (one, two, one)]

    assert answers == ["rain", "sunny", "rain"]
    assert reads == [versions[0]]


def test_an_adapter_that_was_changed_is_refused_though_the_base_model_is_in_memory(
    versions: tuple[Path, Path],
) -> None:
    first, second = versions
    loader = VerifiedLoader()
    loader.load(first, _seal(first))
    digest, path = _seal(second), second / "adapter" / "adapter_model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(ModelFolderInvalid, match="was changed"):
        loader.load(second, digest)
    path.write_bytes(content)


def test_the_base_model_answers_without_any_adapter(versions: tuple[Path, Path]) -> None:
    adapted = VerifiedLoader().load(versions[0], _seal(versions[0]))
    assert isinstance(adapted, Generator)
    untouched = causal_model.CausalModel.load(versions[0])

    bare = Generator(adapted.base, adapted.card).predict([QUESTION])

    assert bare == Generator(untouched, adapted.card).predict([QUESTION])
    assert adapted.predict([QUESTION])[0].output == "rain"


def test_an_adapter_that_nobody_answers_with_is_freed(versions: tuple[Path, Path]) -> None:
    loader = VerifiedLoader()
    predictor = loader.load(versions[0], _seal(versions[0]))
    assert isinstance(predictor, Generator)
    base = predictor.base
    for _ in range(4):
        predictor = loader.load(versions[1], _seal(versions[1]))
        predictor.predict([QUESTION])
        gc.collect()

    assert len(base.adapters) <= 3
