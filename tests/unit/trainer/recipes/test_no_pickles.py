"""Pickles lie in every folder that a run reads, and none of them is ever unpickled."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from archon_inference import ModelFolderInvalid, load_predictor
from services.trainer.checkpoints.store import find_newest_checkpoint, write_manifest
from services.trainer.child import run
from tests.support.training.poison import plain, plant
from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder
from tests.support.training.training_runs import run_spec

# PEFT still asks transformers by the old name.
KINDS = ["selector", "classifier", "generator"]
STEPS = 4
SHORT = {"max_steps": STEPS, "checkpoint_steps": 2, "batch_size": 4, "max_length": 16}


def _base(kind: str, folder: Path) -> Path:
    return tiny_causal_model(folder) if kind == "generator" else tiny_encoder(folder)


def _spec(root: Path, base: Path, kind: str, **others: Any) -> dict[str, Any]:
    return run_spec(root, base, kind=kind, **SHORT) | others


def _train(spec: dict[str, Any]) -> list[dict[str, Any]]:
    reports: list[dict[str, Any]] = []
    run(spec, reports.append)
    return reports


def test_the_poison_works(tmp_path: Path) -> None:
    """Or the tests below would prove nothing."""
    witness = tmp_path / "witness"

    pickle.loads(plain(witness))

    assert witness.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_pickles_beside_a_base_model_are_not_read(tmp_path: Path, kind: str) -> None:
    witness, base = tmp_path / "witness", _base(kind, tmp_path / "base")
    plant(base, witness)

    reports = _train(_spec(tmp_path / "run", base, kind))

    assert reports[0]["total_steps"] == STEPS
    assert not witness.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_pickles_beside_a_warm_start_model_are_not_read(tmp_path: Path, kind: str) -> None:
    witness, base = tmp_path / "witness", _base(kind, tmp_path / "base")
    _train(_spec(tmp_path / "parent", base, kind))
    parent = tmp_path / "parent" / "model"
    plant(parent, witness)

    _train(_spec(tmp_path / "run", base, kind, warm_start_model=str(parent), method="continual"))

    assert not witness.exists()
    with pytest.raises(ModelFolderInvalid, match="pickles run code"):
        load_predictor(parent)
    assert not witness.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_with_pickles_is_passed_over_though_its_manifest_names_them(
    tmp_path: Path, kind: str
) -> None:
    witness, base = tmp_path / "witness", _base(kind, tmp_path / "base")
    spec = _spec(tmp_path / "run", base, kind)
    _train(spec)
    folder = find_newest_checkpoint(tmp_path / "run" / "checkpoints")
    assert folder is not None
    shutil.rmtree(tmp_path / "run" / "model")
    plant(folder, witness)
    write_manifest(folder)

    reports = _train(spec)

    assert reports[0]["resumed_from_step"] == STEPS - 2, "the checkpoint before it was taken"
    assert not witness.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_whose_weights_are_a_pickle_is_no_way_in(tmp_path: Path, kind: str) -> None:
    witness, base = tmp_path / "witness", _base(kind, tmp_path / "base")
    spec = _spec(tmp_path / "run", base, kind)
    _train(spec)
    for folder in (tmp_path / "run" / "checkpoints").glob("checkpoint-*"):
        for path in folder.glob("*.safetensors"):
            path.write_bytes(plain(witness))
        write_manifest(folder)

    with pytest.raises(Exception, match=r"(?i)header|safetensor"):
        _train(spec)

    assert not witness.exists()
