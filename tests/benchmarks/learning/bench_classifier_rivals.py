"""CLINC150's ten domains by our recipe and by what a user would pick instead, side by side.

All methods get the same rows (20 an intent), one domain after the other, and are scored on the same
test rows after each step. Our recipe is the product's, without services and gate. The continual
methods are small reference implementations (`rivals.py`); joint training sees all rows at once.
Settings of the rivals are those of their papers, the learning rate and epochs those that a plain
script used on other domains; nothing is chosen on the test rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.clinc import (
    Domain,
    FrozenVectors,
    StepAccuracies,
    forgetting,
    logistic_regression,
    mean,
    merge,
    own_closed_form,
    plain_closed_form,
    read_domains,
)
from tests.benchmarks.learning.own_recipe import OwnClassifier
from tests.benchmarks.learning.rivals import RIVALS, FineTuned, LowerStates

SEEDS, DOMAINS, PER_INTENT = (0, 1, 2), 10, 20
TEST_PER_INTENT: int | None = None
INTENTS: int | None = None
"""Of each domain; None: all."""
EPOCHS = 4
CONFIG: dict[str, Any] = {}
"""Of each training by our recipe, beyond the defaults."""
TINY = {
    "SEEDS": (0,),
    "DOMAINS": 2,
    "INTENTS": 4,
    "PER_INTENT": 3,
    "TEST_PER_INTENT": 1,
    "EPOCHS": 1,
    "CONFIG": {"max_steps": 2},
}


def run() -> list[Figure]:
    """Every method once per seed; figures are medians over the seeds."""
    found: dict[str, list[StepAccuracies]] = {}
    pooled, layers, states = FrozenVectors(), FrozenVectors("layers"), LowerStates()
    for seed in SEEDS:
        domains = [
            domain.part(domain.name, domain.intents[:INTENTS])
            for domain in read_domains(seed, PER_INTENT, test=TEST_PER_INTENT)[:DOMAINS]
        ]
        for name, learnt in _learn(domains, seed, pooled, layers, states):
            print(
                f"seed {seed}, {name}: {mean(learnt.history[-1]):.4f}, {learnt.seconds:.0f} s",
                flush=True,
            )
            found.setdefault(name, []).append(learnt)
    figures = [figure for name, results in found.items() for figure in _figures(name, results)]
    return [
        *figures,
        _below("ours below the best joint fit", found, lambda one: len(one.history) == 1, 0.01),
        _below("ours below the best continual one", found, lambda one: len(one.history) > 1, 0.0),
    ]


def _below(
    name: str,
    found: dict[str, list[StepAccuracies]],
    among: Callable[[StepAccuracies], bool],
    reach: float,
) -> Figure:
    """How far ours is below the best of the others, in each seed."""
    others = [results for results in found.values() if among(results[0])]
    values = [
        max(mean(results[place].history[-1]) for results in others) - mean(one.history[-1])
        for place, one in enumerate(found["ours"])
    ]
    return median(name, values, reach=reach, higher_is_better=False)


def _figures(name: str, results: Sequence[StepAccuracies]) -> list[Figure]:
    figures = [median(f"{name}: final mean", [mean(result.history[-1]) for result in results])]
    if any(len(result.history) > 1 for result in results):
        lost = [mean(forgetting(result.history)) for result in results]
        figures.append(median(f"{name}: forgetting, mean", lost, higher_is_better=False))
    seconds = [result.seconds for result in results]
    return [*figures, median(f"{name}: time", seconds, unit="s", higher_is_better=False)]


def _learn(
    domains: Sequence[Domain],
    seed: int,
    pooled: FrozenVectors,
    layers: FrozenVectors,
    states: LowerStates,
) -> Iterator[tuple[str, StepAccuracies]]:
    """All methods on one order of the domains."""
    with OwnClassifier(seed, CONFIG) as classifier:
        yield "ours", classifier.learn_stream(domains, layers)
    yield "closed form fitted jointly (plain)", _timed(plain_closed_form, pooled, domains)
    yield "closed form fitted jointly (ours)", _timed(own_closed_form, layers, domains)
    yield "logistic regression fitted jointly", _timed(logistic_regression, pooled, domains)
    yield "fine-tuning on all at once", _joint_fine_tuning(domains, seed, states)
    for rival in RIVALS:
        model = rival(states, merge("all", domains).intents, seed, EPOCHS)
        yield rival.name, model.learn_stream(domains)


Fit = Callable[[FrozenVectors, Sequence[tuple[str, str]], Sequence[Domain]], dict[str, float]]


def _timed(fit: Fit, frozen: FrozenVectors, domains: Sequence[Domain]) -> StepAccuracies:
    """A fit on frozen vectors; its time is without embedding, which the cache has done."""
    rows = merge("all", domains).train
    frozen.embed([text for domain in domains for text, _ in (*domain.train, *domain.test)])
    began = time.perf_counter()
    accuracy = fit(frozen, rows, domains)
    return StepAccuracies((accuracy,), time.perf_counter() - began)


def _joint_fine_tuning(domains: Sequence[Domain], seed: int, states: LowerStates) -> StepAccuracies:
    everything = merge("all", domains)
    model = FineTuned(states, everything.intents, seed, EPOCHS)
    model.learn(everything.train, len(everything.intents))
    return StepAccuracies((model.accuracy(domains),), model.seconds)
