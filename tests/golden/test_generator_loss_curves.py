"""A refactoring must not change what a generator learns: the loss of each step is known.

After a deliberate change run this file as a module, which writes the new curves, and commit that by
itself.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

# PEFT still asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
CURVES = Path(__file__).with_name("generator_losses.json")
METHODS = ("supervised", "preference", "reinforcement")
ROWS: list[dict[str, Any]] = [
    {"input": "what is the weather", "target": "rain", "rejected": ["song"], "weight": 2.0},
    {"input": "play my song please", "target": "music"},
    {"input": "forecast for oslo", "target": "rain", "rejected": ["hotel", "music"]},
    {"input": "find me a song of the artist", "target": "music"},
    {"input": "is it sunny", "actual": "hotel", "rejected": ["hotel"]},
]


def loss_curve(root: Path, method: str) -> list[float]:
    """The loss of every step of a small run with dropout, on one thread."""
    # Imported here, so that torch is not loaded when tests are only collected.
    from services.trainer.child import run
    from tests.support.training.tiny_models import tiny_causal_model
    from tests.support.training.training_runs import run_spec, write_lines

    config = {
        "epochs": 4, "max_steps": 6, "batch_size": 2, "max_length": 32, "lora_dropout": 0.1,
        "supervised_steps": 12, "group_size": 8, "max_new_tokens": 2, "learning_rate": 5e-3,
    }  # fmt: skip
    base = tiny_causal_model(root / "base", spread=0.3)
    spec = run_spec(root, base, kind="generator", **config) | {"method": method}
    rows = [{"id": str(number), **row} for number, row in enumerate(ROWS)]
    write_lines(root / "dataset" / "train.jsonl", [row for row in rows if "target" in row])
    write_lines(root / "dataset" / "negatives.jsonl", [row for row in rows if "target" not in row])
    write_lines(root / "dataset" / "validation.jsonl", [])
    reports: list[dict[str, Any]] = []
    run(spec, reports.append)
    values = [report["values"] for report in reports if report["event"] == "metrics"]
    return [value["train/loss"] for value in values if "train/loss" in value]


@pytest.mark.parametrize("method", METHODS)
def test_the_generators_losses_are_those_of_the_curve(tmp_path: Path, method: str) -> None:
    expected = json.loads(CURVES.read_text())[method]

    # Other processors add up in another order: a little slack, far below what a change would do.
    assert loss_curve(tmp_path, method) == pytest.approx(expected, rel=2e-3, abs=1e-4)


if __name__ == "__main__":
    curves = {}
    for each in METHODS:
        with tempfile.TemporaryDirectory() as folder:
            curves[each] = [round(loss, 6) for loss in loss_curve(Path(folder), each)]
    CURVES.write_text(json.dumps(curves, indent=1) + "\n")
