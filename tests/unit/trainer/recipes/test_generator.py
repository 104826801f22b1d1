from pathlib import Path
from typing import Any

import pytest

from archon_inference import load_predictor
from services.trainer.child import run
from services.trainer.errors import EmptyDataset
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines

# PEFT still asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")


class GeneratorKilled(Exception):
    """Stands for the end of the process."""


def _spec(root: Path, base: Path, **config: Any) -> dict[str, Any]:
    settings = {"max_steps": 4, "max_length": 32, "max_new_tokens": 3, "checkpoint_steps": 2}
    spec = run_spec(root, base, kind="generator", **(settings | config))
    rows = [
        {"id": str(n), "input": text, "target": "rain"}
        for n, text in enumerate(["what is the weather", "forecast for oslo"] * 4)
    ]
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "validation.jsonl", rows[:2])
    return spec


def test_a_generator_learns_what_it_is_shown_and_serves_without_its_adapter(
    tmp_path: Path,
) -> None:
    base = tiny_causal_model(tmp_path / "base")

    result = run(_spec(tmp_path, base, max_steps=60, epochs=50), lambda event: None)

    answers = load_predictor(Path(result["model_dir"])).predict(["what is the weather"])
    assert answers[0].output.split()[0] == "rain"
    assert not list((tmp_path / "model").glob("adapter*"))


def test_items_longer_than_the_limit_are_left_out_and_counted(tmp_path: Path) -> None:
    spec = _spec(tmp_path, tiny_causal_model(tmp_path / "base"))
    rows = [
        {"id": "short", "input": "what is the weather", "target": "rain"},
        {"id": "long prompt", "input": "weather " * 40, "target": "rain"},
        {"id": "long answer", "input": "what is the weather", "target": "rain " * 40},
    ]
    write_lines(tmp_path / "dataset" / "train.jsonl", rows)

    result = run(spec, lambda event: None)

    assert result["metrics"]["data/too_long_items"] == 2


def test_a_dataset_of_nothing_but_too_long_items_is_refused_by_name(tmp_path: Path) -> None:
    spec = _spec(tmp_path, tiny_causal_model(tmp_path / "base"))
    rows = [{"id": "novel", "input": "weather " * 40, "target": "rain"}]
    write_lines(tmp_path / "dataset" / "train.jsonl", rows)

    with pytest.raises(EmptyDataset, match="'novel'"):
        run(spec, lambda event: None)


def test_a_generator_that_died_ends_with_the_same_weights(tmp_path: Path) -> None:
    base = tiny_causal_model(tmp_path / "base")

    def die(event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint":
            raise GeneratorKilled

    run(_spec(tmp_path / "whole", base), lambda event: None)
    with pytest.raises(GeneratorKilled):
        run(_spec(tmp_path / "halves", base), die)
    run(_spec(tmp_path / "halves", base), lambda event: None)

    one, other = (
        (tmp_path / name / "model" / "model.safetensors").read_bytes()
        for name in ("whole", "halves")
    )
    assert one == other
