"""SmolLM2-135M: some supervised steps, then GRPO, on the domain of a CLINC150 request.

The reward is 1 for the right domain and 0.2 for the name of any. Right answers on held-out rows
after the supervised steps alone and after GRPO from there. A reference run: some fifteen minutes of
a core a seed. An ended run goes on from its checkpoint when it is started again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archon_inference.loading import load_predictor
from tests.benchmarks.generators.small_language_model import (
    base_folder,
    generator_spec,
    kept_folder,
    proportion_right,
    read_task,
    train_once,
    write_rows,
)
from tests.benchmarks.harness import Figure, median

SEEDS = (0,)
TRAIN, VALIDATION, TEST = 16, 2, 10
"""Rows of each of the ten domains."""
START: dict[str, Any] = {"max_steps": 10, "batch_size": 8, "learning_rate": 2e-4}
REWARDED: dict[str, Any] = {
    "max_steps": 25,
    "batch_size": 4,
    "group_size": 8,
    "learning_rate": 2e-4,
    "checkpoint_steps": 5,
    "rewards": {"exact": 1.0, "valid": 0.2},
}
TINY_MODEL = False
TINY = {
    "TRAIN": 2,
    "VALIDATION": 1,
    "TEST": 1,
    "START": {"max_steps": 1},
    "REWARDED": {"max_steps": 1, "batch_size": 2, "group_size": 2},
    "TINY_MODEL": True,
}


def run() -> list[Figure]:
    """Train twice a seed; score on held-out rows."""
    found = [_run_seed(seed) for seed in SEEDS]
    gains = [after - before for before, after in found]
    return [
        median("gain in right answers", gains, unit="fraction", reach=0.2),
        median("right answers, started", [before for before, _ in found], unit="fraction"),
        median("right answers, rewarded", [after for _, after in found], unit="fraction"),
    ]


def _run_seed(seed: int) -> tuple[float, float]:
    task = read_task(seed, TRAIN, VALIDATION, TEST)
    with kept_folder(f"rewards-{seed}", tiny=TINY_MODEL) as root:
        base = base_folder(root, tiny=TINY_MODEL)
        started, rewarded = root / "started", root / "rewarded"
        for part in (started, rewarded):
            write_rows(part / "dataset" / "train.jsonl", task.train)
            write_rows(part / "dataset" / "validation.jsonl", task.validation)
        train_once(generator_spec(started, base, "supervised", START, seed))
        before = _right(started, task.test)
        if TINY_MODEL:  # a random model earns nothing, which is refused
            return before, before
        spec = generator_spec(rewarded, base, "reinforcement", REWARDED, seed)
        train_once(spec | {"warm_start_model": str(started / "model")})
        return before, _right(rewarded, task.test)


def _right(root: Path, rows: list[dict[str, Any]]) -> float:
    outputs = load_predictor(root / "model").predict([row["input"] for row in rows])
    return proportion_right([answer.output for answer in outputs], rows)
