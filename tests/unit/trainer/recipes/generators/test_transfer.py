"""Transfer of a generator: an adapter goes on from the source's, layer by layer if asked for."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from services.trainer.child import run
from services.trainer.errors import RunInvalid
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines

ADAPTER = "adapter/adapter_model.safetensors"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny_causal_model(tmp_path / "base")


def spec(root: Path, base: Path, **config: Any) -> dict[str, Any]:
    """A transfer of two steps."""
    settings = {"max_steps": 2, "max_length": 32, "max_new_tokens": 3, "warmup_ratio": 0.0}
    made = run_spec(root, base, kind="generator", **(settings | config)) | {"method": "transfer"}
    rows = [{"id": str(n), "input": "what is the weather", "target": "rain"} for n in range(8)]
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "validation.jsonl", rows[:2])
    return made


def train(made: dict[str, Any]) -> dict[str, Any]:
    return run(made, lambda event: None)


def test_a_generator_goes_on_from_the_source_and_is_compared(tmp_path: Path, base: Path) -> None:
    source = train(spec(tmp_path / "source", base, compare_starts=False))["model_dir"]

    result = train(spec(tmp_path / "own", base) | {"source_model": source})

    before = load_file(Path(source) / ADAPTER)
    after = load_file(Path(result["model_dir"]) / ADAPTER)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    measured = {name for name in result["metrics"] if name.startswith("transfer/")}
    assert {"transfer/from_base_accuracy", "transfer/zero_shot_accuracy"} <= measured
    assert "transfer/from_scratch_accuracy" not in measured


def test_lower_layers_of_an_adapter_stay_frozen_at_first(tmp_path: Path, base: Path) -> None:
    config = {"transfer_layers": "gradual", "max_steps": 1, "compare_starts": False}
    adapter = load_file(Path(train(spec(tmp_path / "own", base, **config))["model_dir"]) / ADAPTER)

    # The second factor of an update is zero until it learns.
    moved = {name for name, value in adapter.items() if "lora_B" in name and value.any()}
    assert moved
    assert all(".layers.1." in name for name in moved)


def test_full_training_of_a_generator_is_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(RunInvalid, match="use lora, frozen or gradual"):
        train(spec(tmp_path / "own", base, transfer_layers="full"))
