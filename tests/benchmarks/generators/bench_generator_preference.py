"""SmolLM2-135M learns from real rewards of another model's answers: DPO on pairs, KTO on ratings.

Contexts of coffee dialogues with a good and a bad answer, split by opening. Reported of held-out
rows, with Wilson's interval: how often training raised the better answer more (implicit reward),
and how often it is the more probable one (raw), before and after. A reference run: some ten minutes
of a core a seed and method. An ended run goes on from its checkpoint when it is started again.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from scipy.stats import binomtest

from archon_contracts.metric_names import (
    VALIDATION_PREFERENCE,
    VALIDATION_RATED,
    VALIDATION_RAW_PREFERENCE,
)
from tests.benchmarks.generators.coffee import Row, read_pairs, read_ratings
from tests.benchmarks.generators.small_language_model import (
    base_folder,
    generator_spec,
    kept_folder,
    train_once,
    write_rows,
)
from tests.benchmarks.harness import Figure

SEEDS = (0,)
METHODS = ("dpo", "kto")
PAIRS, HELD_OUT_PAIRS = 100, 80
BAD_RATINGS = 40
"""Of the ratings to learn from; twice as many are good."""
HELD_OUT = 0.3
"""Of the openings."""
CONFIG: dict[str, Any] = {"batch_size": 4, "epochs": 1, "checkpoint_steps": 5}
TINY_MODEL = False
TINY = {
    "PAIRS": 2,
    "HELD_OUT_PAIRS": 2,
    "BAD_RATINGS": 1,
    "CONFIG": {"batch_size": 2, "max_steps": 1},
    "TINY_MODEL": True,
}


def run() -> list[Figure]:
    """Train once a seed and method."""
    figures: list[Figure] = []
    for method in METHODS:
        found = [_run_seed(method, seed) for seed in SEEDS]
        pairs = sum(int(each["held-out pairs"]) for each in found)
        right = sum(each[VALIDATION_PREFERENCE] * each["held-out pairs"] for each in found)
        low = binomtest(round(right), pairs).proportion_ci(method="wilson").low
        figures += [
            _mean(f"{method}: implicit reward right, held-out pairs", found, VALIDATION_PREFERENCE),
            Figure(
                name=f"{method}: lower end of its 95 % interval",
                figure=float(low),
                unit="fraction",
                reach=0.5,
            ),
            _mean(f"{method}: raw preference right", found, VALIDATION_RAW_PREFERENCE),
            Figure(name=f"{method}: held-out pairs, all seeds", figure=pairs, unit="pairs"),
        ]
        if all(VALIDATION_RATED in each for each in found):
            figures.append(
                _mean(f"{method}: a good rating over a bad one", found, VALIDATION_RATED)
            )
    return figures


def _mean(name: str, found: Sequence[dict[str, float]], key: str) -> Figure:
    values = [each[key] for each in found]
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Figure(name=name, figure=statistics.fmean(values), unit="fraction", spread=spread)


def _run_seed(method: str, seed: int) -> dict[str, float]:
    pairs = read_pairs(seed, HELD_OUT)
    held_out: list[Row] = pairs.held_out[:HELD_OUT_PAIRS]
    with kept_folder(f"{method}-{seed}", tiny=TINY_MODEL) as root:
        if method == "dpo":
            write_rows(root / "dataset" / "train.jsonl", pairs.train[:PAIRS])
        else:
            rated = read_ratings(seed, HELD_OUT, BAD_RATINGS)
            write_rows(root / "dataset" / "rewards.jsonl", rated.train)
        write_rows(root / "dataset" / "validation.jsonl", held_out)
        base = base_folder(root, tiny=TINY_MODEL)
        metrics = train_once(generator_spec(root, base, "preference", CONFIG, seed))
    return {**metrics, "held-out pairs": float(len(held_out))}
