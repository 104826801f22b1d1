"""Trigger policies on three histories whose best retrains are known, by the back-test.

The error of a version grows steadily, faster and faster, or by a jump every ten days, from 5 % on.
A training takes ten minutes, and a wrong answer less is worth `PRICE` seconds. The optimum is that
of all sets of hours, known afterwards. Beside it the policies of a user: at every 200 events,
daily, by risen errors. The speed is that of one policy on a million answers. How long a version's
reference lasts was chosen on seeds 100 to 103.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from archon_contracts.triggers.backtest import (
    FeedbackHistory,
    HistoryHour,
    WorldDrift,
    find_optimum,
    replay,
)
from archon_contracts.values import CronSchedule, TriggerPolicy
from shared.cron import next_time
from tests.benchmarks.harness import Figure
from tests.support.messaging.messages import NOON

SEEDS = (0, 1, 2)
DAYS, HOURLY, MANY = 60, 100, 1_000_000
TINY = {"SEEDS": (0,), "DAYS": 6, "MANY": 2_000}
ERROR, TRAINING_SECONDS, PRICE, JUMP_HOURS = 0.05, 600.0, 4.0, 240
NEVER: Final = 1_000_000
QUIET = {"minimum_feedback": NEVER, "maximum_feedback": NEVER, "cooldown_seconds": 0.0}
POLICIES = {
    "regret": TriggerPolicy(**QUIET, wrong_answer_seconds=PRICE),
    "regret or risen errors": TriggerPolicy(**QUIET, wrong_answer_seconds=PRICE, error_rise=0.1),
    "risen errors": TriggerPolicy(**QUIET, error_rise=0.1),
    "count of 200": TriggerPolicy(minimum_feedback=200, cooldown_seconds=0.0),
    "every night": TriggerPolicy(**QUIET, schedule=CronSchedule(cron="0 3 * * *")),
}


def histories() -> dict[str, tuple[FeedbackHistory, WorldDrift]]:
    """The histories by name, with how far the world moves in them."""
    hours = range(24 * DAYS)
    courses = {
        "steady": [0.0004 * hour for hour in hours],
        "faster and faster": [2.0e-7 * hour * hour for hour in hours],
        "jumps": [0.15 * (hour // JUMP_HOURS) for hour in hours],
    }
    return {
        name: (
            FeedbackHistory(
                [
                    HistoryHour(NOON + timedelta(hours=hour), HOURLY, round(HOURLY * ERROR))
                    for hour in hours
                ],
                (),
                TRAINING_SECONDS,
            ),
            WorldDrift(ERROR, moved),
        )
        for name, moved in courses.items()
    }


def run() -> list[Figure]:
    """Cost and regret of each policy beside the optimum's; seconds for a million answers."""
    found = list[Figure]()
    for name, (history, drift) in histories().items():
        best = find_optimum(history, drift, price_seconds=PRICE)
        found.append(Figure(name=f"{name}: optimum", figure=best.total_seconds, unit="s"))
        for policy_name, policy in POLICIES.items():
            results = [
                replay(
                    policy_name,
                    policy,
                    history,
                    drift,
                    price_seconds=PRICE,
                    next_time=next_time,
                    seed=seed,
                )
                for seed in SEEDS
            ]
            total = sum(each.total_seconds for each in results) / len(results)
            found.append(
                Figure(
                    name=f"{name}: {policy_name} "
                    f"({sum(len(each.retrains) for each in results) / len(results):.0f} retrains)",
                    figure=total / best.total_seconds if best.total_seconds else 1.0,
                    unit="of optimum",
                    reach=1.1 if policy_name.startswith("regret") else None,
                    higher_is_better=False,
                )
            )
    return [*found, _measure_speed()]


def _measure_speed() -> Figure:
    hours = 1_000
    history = FeedbackHistory(
        [HistoryHour(NOON + timedelta(hours=n), MANY // hours, 0) for n in range(hours)]
    )
    drift = WorldDrift(ERROR, [0.0001 * n for n in range(hours)])
    started = time.perf_counter()
    replay("all", POLICIES["regret or risen errors"], history, drift, price_seconds=PRICE)
    return Figure(
        name=f"{MANY:,} answers, one policy",
        figure=time.perf_counter() - started,
        unit="s",
        reach=30,
        higher_is_better=False,
    )
