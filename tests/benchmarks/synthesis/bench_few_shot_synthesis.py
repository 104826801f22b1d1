"""30 intents of CLINC150 with five examples each: with synthetic items against without.

Synthetic items are made of the same examples by the product's defaults, with the weight that it
writes. Both are a logistic regression on unit vectors of the frozen MiniLM, scored on test rows of
those intents. Each seed has its own intents and examples; the interval is that of Student's t.
"""

import random
import statistics
from collections.abc import Sequence

from scipy import stats
from sklearn.linear_model import LogisticRegression

from services.synthetic_generator.datasets import SYNTHETIC_WEIGHT
from services.synthetic_generator.domain import GenerationRequest, Sample
from services.synthetic_generator.generation import generate
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.clinc import (
    INVERSE_PENALTY,
    Domain,
    FrozenVectors,
    Row,
    Vectors,
    merge,
    read_domains,
    unit,
)

SEEDS = (0, 1, 2, 3, 4)
INTENTS, PER_INTENT, MADE_PER_INTENT, TEST_PER_INTENT = 30, 5, 5, 10
TINY = {
    "SEEDS": (0, 1),
    "INTENTS": 3,
    "PER_INTENT": 3,
    "MADE_PER_INTENT": 1,
    "TEST_PER_INTENT": 1,
}


def run() -> list[Figure]:
    """Both for each seed."""
    frozen = FrozenVectors()
    without, with_made = [], []
    for seed in SEEDS:
        domain = _choose(seed)
        made = _make(domain.train, seed)
        without.append(_fit_and_score(frozen, domain, ()))
        with_made.append(_fit_and_score(frozen, domain, made))
        print(f"seed {seed}: {without[-1]:.4f}, with {len(made)} made {with_made[-1]:.4f}")
    gains = [after - before for before, after in zip(without, with_made, strict=True)]
    low, high = _interval(gains)
    return [
        median("accuracy without", without),
        median("accuracy with synthesis", with_made),
        Figure(name="mean gain", figure=statistics.fmean(gains), unit="", reach=0.0),
        Figure(name="mean gain, low end of 95 %", figure=low, unit=""),
        Figure(name="mean gain, high end of 95 %", figure=high, unit=""),
    ]


def _fit_and_score(frozen: FrozenVectors, domain: Domain, made: Sequence[Row]) -> float:
    rows = [*domain.train, *made]
    weights = [1.0] * len(domain.train) + [SYNTHETIC_WEIGHT] * len(made)

    def read(found: Sequence[Row]) -> tuple[Vectors, list[str]]:
        return unit(frozen.embed([text for text, _ in found])), [intent for _, intent in found]

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=500)
    model.fit(*read(rows), sample_weight=weights)
    return float(model.score(*read(domain.test)))


def _choose(seed: int) -> Domain:
    whole = merge("all", read_domains(seed=seed, train=PER_INTENT, suite=0, test=TEST_PER_INTENT))
    return whole.part("chosen", sorted(random.Random(seed).sample(whole.intents, INTENTS)))


def _make(examples: tuple[Row, ...], seed: int) -> list[Row]:
    request = GenerationRequest(
        scenario_type="assistant",
        count=MADE_PER_INTENT * INTENTS,
        difficulty="medium",
        edge_cases=False,
        diversity=0.5,
        seed=seed,
    )
    made = generate(request, [Sample(text, intent) for text, intent in examples]).accepted
    return [(each.sample.input, each.sample.target) for each in made]


def _interval(values: list[float]) -> tuple[float, float]:
    width = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return statistics.fmean(values) - width, statistics.fmean(values) + width
