"""SmolLM2-135M learns to answer with the domain of a CLINC150 request, from 320 items.

Beside it the model without training: with the same prompt, and with the ten answers listed.
An ended run goes on from its checkpoint when it is started again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from archon_inference.card import read_card
from archon_inference.generator import Generator
from archon_inference.loading import load_predictor
from tests.benchmarks.generators.small_language_model import (
    DomainTask,
    base_folder,
    generator_spec,
    kept_folder,
    list_domains,
    proportion_right,
    proportion_valid,
    read_task,
    train_once,
    write_rows,
)
from tests.benchmarks.harness import Figure, median

SEEDS = (0,)
TRAIN, VALIDATION, TEST = 32, 6, 10
"""Rows of each of the ten domains."""
CONFIG: dict[str, Any] = {}
TINY_MODEL = False
TINY = {"TRAIN": 1, "VALIDATION": 1, "TEST": 1, "CONFIG": {"max_steps": 1}, "TINY_MODEL": True}


def run() -> list[Figure]:
    """Train once a seed; score on held-out rows."""
    found = [_run_seed(seed) for seed in SEEDS]

    def figure(name: str, unit: str = "fraction", reach: float | None = None) -> Figure:
        return median(name, [each[name] for each in found], unit=unit, reach=reach)

    return [
        figure("valid answers", reach=0.95),
        figure("right answers", reach=0.75),
        figure("valid answers, zero-shot"),
        figure("right answers, zero-shot"),
        figure("valid answers, zero-shot, answers listed"),
        figure("right answers, zero-shot, answers listed"),
        figure("validation, right answers"),
        figure("seconds to answer the test rows", "s"),
    ]


def _run_seed(seed: int) -> dict[str, float]:
    task = read_task(seed, TRAIN, VALIDATION, TEST)
    with kept_folder(f"sft-{seed}", tiny=TINY_MODEL) as root:
        write_rows(root / "dataset" / "train.jsonl", task.train)
        write_rows(root / "dataset" / "validation.jsonl", task.validation)
        base = base_folder(root, tiny=TINY_MODEL)
        spec = generator_spec(root, base, "supervised", CONFIG, seed)
        metrics = train_once({**spec, "config": {"checkpoint_steps": 10, **CONFIG}})
        inputs = [row["input"] for row in task.test]
        started = time.perf_counter()
        outputs = [a.output for a in load_predictor(root / "model").predict(inputs)]
        answering = time.perf_counter() - started
        zero_shot = _zero_shot(root / "model", base, task)
    return {
        "valid answers": proportion_valid(outputs, task.domains),
        "right answers": proportion_right(outputs, task.test),
        "validation, right answers": metrics["validation/accuracy"],
        "seconds to answer the test rows": answering,
        **zero_shot,
    }


def _zero_shot(trained: Path, folder: Path, task: DomainTask) -> dict[str, float]:
    """The base model, stopped where the trained one is."""
    card = read_card(trained).model_copy(update={"adapters": ()})
    base = Generator.load(folder, card)
    found = {}
    for name, listed in (("", False), (", answers listed", True)):
        inputs = [
            list_domains(row["input"], task.domains) if listed else row["input"]
            for row in task.test
        ]
        outputs = [answer.output for answer in base.predict(inputs)]
        found[f"valid answers, zero-shot{name}"] = proportion_valid(outputs, task.domains)
        found[f"right answers, zero-shot{name}"] = proportion_right(outputs, task.test)
    return found
