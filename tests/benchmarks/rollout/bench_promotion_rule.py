"""Wrong promotions between equal arms by CallBus's published rule and by ours, on the same streams.

CallBus promotes a retrieval arm after 100 searches an arm where its mean reciprocal rank (MRR) is
at least 0.01 higher. Each search's right document has a rank with a geometric distribution, or is
not among the first ten; 200 experiments with equal arms, and 200 in which the candidate is better.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.registry.rollout.decisions import ExperimentDesign
from services.registry.statistics.sequences import difference
from tests.benchmarks.harness import Figure
from tests.benchmarks.rollout.streams import Arms, Ends, Floats, ours, run_experiments

RUNS = 200
LAST = 10_000
SEED = 7307
TINY = {"RUNS": 5, "LAST": 400}
SEARCHES_AN_ARM: Final = 100
MARGIN: Final = 0.01
RANKS: Final = 10
FIRST_RANK: Final = 0.45
"""Probability of rank 1, and of each next rank where the one before was wrong."""
BETTER_FIRST_RANK: Final = 0.50


def run() -> list[Figure]:
    """Both rules, with equal arms and with a better candidate."""
    figures = []
    for name, rule in (("CallBus", callbus), ("ours", ours)):
        equal = _simulate(FIRST_RANK, rule)
        better = _simulate(BETTER_FIRST_RANK, rule)
        figures += [
            Figure(
                name=f"{name}: wrong promotions, equal arms",
                figure=100 * float(equal.wins.mean()),
                unit="%",
                reach=5.0 if rule is ours else None,
                higher_is_better=False,
            ),
            Figure(
                name=f"{name}: promotions of a candidate that is better",
                figure=100 * float(better.wins.mean()),
                unit="%",
            ),
            Figure(
                name=f"{name}: searches to the end, better candidate, median",
                figure=float(np.median(better.answers)),
                unit="searches",
                higher_is_better=False,
            ),
        ]
    return figures


def callbus(_: ExperimentDesign, arms: Arms) -> tuple[Any, Any, Any]:
    """One look, as soon as both arms have had their searches."""
    counts = np.minimum(np.asarray(arms.control.count), np.asarray(arms.treatment.count))
    enough = counts >= SEARCHES_AN_ARM
    ahead = np.asarray(difference(arms.control, arms.treatment)) >= MARGIN
    return enough & ahead, np.zeros_like(enough), enough


def _simulate(first_rank: float, rule: Any) -> Ends:
    def draw(treated: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
        rates = np.where(treated, first_rank, FIRST_RANK)
        ranks = rng.geometric(rates)
        return np.where(ranks <= RANKS, 1.0 / ranks, 0.0)

    design = ExperimentDesign(0.05, LAST)
    return run_experiments(design, draw, seeds=RUNS, seed=SEED, decide=rule)
