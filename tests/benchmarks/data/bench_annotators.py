"""Labels out of simulated annotators of known quality: by their error rates, and by majority.

Five labels and eight annotators who are right in 35 to 95 % of the cases, of whom three see each
item.
"""

import random
import statistics
from typing import Final

from services.data_prep.cleaning.annotation import majority_label
from services.data_prep.labelling.dawid_skene import fit_dawid_skene
from tests.benchmarks.harness import Figure

SEEDS, ITEMS = (0, 1, 2, 3, 4), 2000
TINY = {"SEEDS": (0,), "ITEMS": 300}
SKILLS: Final = (0.95, 0.9, 0.85, 0.6, 0.5, 0.45, 0.4, 0.35)
LABELS: Final = "abcde"
EACH: Final = 3


def run() -> list[Figure]:
    """Accuracy of both ways to aggregate, and the least difference over the seeds."""
    pairs = [_simulate(seed) for seed in SEEDS]
    gain = min(estimated - majority for majority, estimated in pairs)
    return [
        Figure(name="majority", figure=statistics.mean(m for m, _ in pairs), unit="accuracy"),
        Figure(name="Dawid-Skene", figure=statistics.mean(e for _, e in pairs), unit="accuracy"),
        Figure(name="least gain over majority", figure=gain, unit="accuracy", reach=0.001),
    ]


def _simulate(seed: int) -> tuple[float, float]:
    """Accuracy of the majority, a tie being half right, and of the estimates."""
    rng = random.Random(seed)
    truth = [rng.choice(LABELS) for _ in range(ITEMS)]
    items = [
        {str(who): _label(right, SKILLS[who], rng) for who in rng.sample(range(len(SKILLS)), EACH)}
        for right in truth
    ]
    majority = [majority_label(list(item.values())) for item in items]
    # A tie is decided at random: of three different labels one in three is right.
    by_majority = statistics.mean(
        (each == right) if each else (right in item.values()) / EACH
        for each, right, item in zip(majority, truth, items, strict=True)
    )
    estimated = fit_dawid_skene(items).items
    by_model = statistics.mean(e.label == r for e, r in zip(estimated, truth, strict=True))
    return by_majority, by_model


def _label(right: str, skill: float, rng: random.Random) -> str:
    return right if rng.random() < skill else rng.choice(LABELS.replace(right, ""))
