"""Domains B of CLINC150 with few examples: from an agent on domains A, from the base, from scratch.

One classifier is fine-tuned on the intents of half of the domains; it is the start of a transfer to
the intents of the other half, of which there are `PER_INTENT` examples each. The same transfer is
run from the base model and from random weights, and the base model answers without training, by the
names of the intents. All are scored on the test rows of domains B.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archon_inference.loading import load_predictor
from services.trainer.child import run as train
from services.trainer.items import TrainingItem
from services.trainer.recipes.recipe_table import read_run
from services.trainer.recipes.transfer.starts import answer_zero_shot, write_random_model
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    Domain,
    Row,
    merge,
    read_domains,
)
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)

SEEDS = (0, 1, 2)
DOMAINS, PER_INTENT, OF_SOURCE, TEST_PER_INTENT = 10, 3, 20, 10
FINE_TUNING: dict[str, Any] = {}
TINY = {
    "SEEDS": (0,),
    "DOMAINS": 2,
    "OF_SOURCE": 1,
    "PER_INTENT": 1,
    "TEST_PER_INTENT": 1,
    "FINE_TUNING": {"max_steps": 1},
}
SOURCE, BASE, SCRATCH, ZERO_SHOT = "from the agent", "from the base", "from scratch", "zero-shot"


@dataclass(frozen=True, slots=True)
class TransferRuns:
    """Where one seed's runs lie."""

    root: Path
    seed: int

    def spec(self, name: str, rows: tuple[Row, ...], **changes: Any) -> dict[str, Any]:
        """A run of the trainer's child on these rows."""
        folder = self.root / name
        (folder / "dataset").mkdir(parents=True)
        lines = [
            json.dumps({"id": str(place), "input": text, "target": intent})
            for place, (text, intent) in enumerate(rows)
        ]
        (folder / "dataset" / "train.jsonl").write_text("\n".join(lines) + "\n")
        spec = {
            "job_id": name,
            "attempt": 1,
            "kind": "classifier",
            "method": "transfer",
            "base_model": BASE_MODEL,
            "dataset": str(folder / "dataset"),
            "output_dir": str(folder / "model"),
            "checkpoint_dir": str(folder / "checkpoints"),
            "seed": self.seed,
            "threads": 1,
            "config": {"fine_tuning": "always", "compare_starts": False, **FINE_TUNING},
        }
        return spec | changes


def run() -> list[Figure]:
    """Each start once per seed; figures are medians over the seeds."""
    found = []
    for seed in SEEDS:
        domains = read_domains(seed, OF_SOURCE, test=TEST_PER_INTENT)[:DOMAINS]
        known, new = merge("A", domains[::2]), merge("B", domains[1::2])
        with tempfile.TemporaryDirectory() as temporary:
            found.append(_measure(TransferRuns(Path(temporary), seed), known, new))
    gains = {
        other: [100 * (each[SOURCE] - each[other]) for each in found]
        for other in (BASE, SCRATCH, ZERO_SHOT)
    }
    return [
        *[median(f"{name}: accuracy", [each[name] for each in found]) for name in found[0]],
        *[
            median(f"the agent above {name}", gain, unit="points", reach=0.0)
            for name, gain in gains.items()
        ],
    ]


def _measure(runs: TransferRuns, known: Domain, new: Domain) -> dict[str, float]:
    few = _first_of_each(new.train)
    labels = {"labels": list(new.intents)}
    source = train(runs.spec("source", known.train, method="supervised"), _ignore)["model_dir"]
    scratch = write_random_model(read_run(runs.spec("unused", few)), runs.root / "random")
    specs = {
        SOURCE: runs.spec("agent", few, **labels, source_model=source),
        BASE: runs.spec("base", few, **labels),
        SCRATCH: runs.spec("scratch", few, **labels, base_model=scratch.as_uri()),
    }
    accuracies = {}
    for name, spec in specs.items():
        began = time.perf_counter()
        model = load_predictor(Path(train(spec, _ignore)["model_dir"]))
        seconds = time.perf_counter() - began
        answers = model.predict([text for text, _ in new.test], k=1)
        right = [a.output == intent for a, (_, intent) in zip(answers, new.test, strict=True)]
        accuracies[name] = sum(right) / len(right)
        print(f"seed {runs.seed}, {name}: {accuracies[name]:.4f}, {seconds:.1f} s", flush=True)
    items = [TrainingItem(id=t, input=t, target=intent) for t, intent in new.test]
    zero_shot = answer_zero_shot(read_run(specs[BASE]), items)
    accuracies[ZERO_SHOT] = sum(zero_shot) / len(zero_shot)
    print(f"seed {runs.seed}, {ZERO_SHOT}: {accuracies[ZERO_SHOT]:.4f}", flush=True)
    return accuracies


def _first_of_each(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    kept: dict[str, list[Row]] = {}
    for row in rows:
        kept.setdefault(row[1], []).append(row)
    return tuple(row for group in kept.values() for row in group[:PER_INTENT])


def _ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""
