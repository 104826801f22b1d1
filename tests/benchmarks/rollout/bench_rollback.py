"""Feedback events until a version that is 10 points worse is rolled back, and false rollbacks.

The version before has 2,000 scored answers; the new one is deployed by hand and compared with it
after each of its own. Simulated, with the rule of the registry; the streams of a running system
are its integration tests' (tests/integration/registry/test_rollout_store.py).
"""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np

from archon_contracts.rules.rollout_policy import RolloutPolicy
from services.registry.rollout.decisions import RegressionDesign
from services.registry.statistics.outcomes import Outcomes
from tests.benchmarks.harness import Figure
from tests.benchmarks.rollout.streams import NEVER, Floats, binary

BEFORE = 2_000
SEEDS_EACH = 200
SEED = 7207
TINY = {"SEEDS_EACH": 5}
RATES: Final = (0.80, 0.70)
"""Proportions of right answers of the version before; the first is that of the goal."""
DROP: Final = 0.10


def run() -> list[Figure]:
    """Simulate worse versions and equal ones."""
    figures = []
    for number, rate in enumerate(RATES):
        asked_for = number == 0
        answers = rollbacks(rate, rate - DROP)
        median = float(np.median(answers))
        figures += [
            Figure(
                name=f"{rate:.2f} to {rate - DROP:.2f}: median feedback events",
                figure=median,
                unit="events",
                reach=300.0 if asked_for else None,
                higher_is_better=False,
            ),
            Figure(
                name=f"{rate:.2f} to {rate - DROP:.2f}: rolled back",
                figure=100 * float((answers < NEVER).mean()),
                unit="%",
            ),
            Figure(
                name=f"{rate:.2f} to {rate:.2f}: false rollbacks of {SEEDS_EACH}",
                figure=float((rollbacks(rate, rate) < NEVER).sum()),
                unit="runs",
                reach=0.0,
                higher_is_better=False,
            ),
        ]
    return figures


def rollbacks(before_rate: float, rate: float) -> Floats:
    """Answers of the new version until it is rolled back; `NEVER`: it is not."""
    policy = RolloutPolicy()
    design = RegressionDesign(policy.rollback_alpha, policy.rollback_answers)
    rng = np.random.default_rng([SEED, round(1000 * before_rate), round(1000 * rate)])
    successes = rng.binomial(BEFORE, before_rate, size=(SEEDS_EACH, 1)).astype(np.float64)
    outcomes = binary(rate, (SEEDS_EACH, design.last), rng)
    counts = np.broadcast_to(np.arange(1.0, design.last + 1), outcomes.shape)
    before = Outcomes.of_binary(BEFORE, cast(Any, successes))
    now = Outcomes.of_binary(cast(Any, counts), cast(Any, outcomes.cumsum(axis=1)))
    with np.errstate(all="ignore"):
        worse = np.asarray(design.shows_regression(before, now, cast(Any, np.log)))
    return np.where(worse.any(axis=1), worse.argmax(axis=1) + 1.0, NEVER)
