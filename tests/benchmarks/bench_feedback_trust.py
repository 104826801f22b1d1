"""Feedback trust: whose feedback it quarantines in windows of real requests, and its cost.

No model takes part: CLINC150 requests are labelled by an attacker, or honestly, and data
preparation weighs them. In the other windows the attacker's target may be any intent that the
agent knows. The cost is that of made-up windows with many users, in CPU time of this process.
"""

import random
import statistics
import time
from collections.abc import Sequence

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.formats import QuarantinedItem
from services.data_prep.cleaning.cleaning import build_items, deduplicate
from services.data_prep.domain import Item, PreparationCounters, Targets
from services.data_prep.sources.records import read_source
from services.synthetic_generator.domain import GenerationRequest
from services.synthetic_generator.generation import generate
from tests.benchmarks.harness import Figure
from tests.support.data.poisoned_windows import (
    decide,
    make_attacker_items,
    measure_quarantined_proportion,
    windows,
)

WINDOWS, ANY_TARGET, ROUNDS, MEMORY = 20, 40, 5, 2_000
SMALL, LARGE = (300, 30), (10_000, 500)
"""Feedback events and units."""
TINY = {"WINDOWS": 1, "ANY_TARGET": 1, "ROUNDS": 1, "MEMORY": 50, "LARGE": (400, 20)}


def run() -> list[Figure]:
    """Weigh all windows."""
    return [*_measure_quarantine(), *_under_names(), *_cost()]


def _measure_quarantine() -> list[Figure]:
    honest_quarantined = attacks_quarantined = 0
    for seed, (scenario, known, honest) in enumerate(windows(range(WINDOWS))):
        honest_quarantined += len(decide(honest, known, seed).quarantined)
        attacks_quarantined += _all_quarantined(
            make_attacker_items(scenario),
            decide([*honest, *make_attacker_items(scenario)], known, seed).quarantined,
        )
    any_target_quarantined = 0
    for seed, (scenario, known, honest) in enumerate(windows(range(ANY_TARGET))):
        others = sorted(set(scenario.deployed) - {scenario.victim})
        poison = make_attacker_items(
            scenario, wanted=random.Random(f"target {seed}").choice(others)
        )
        any_target_quarantined += _all_quarantined(
            poison, decide([*honest, *poison], known, seed).quarantined
        )
    return [
        Figure(
            name=f"honest feedback quarantined in {WINDOWS} windows",
            figure=honest_quarantined,
            unit="events",
            reach=0,
            higher_is_better=False,
        ),
        Figure(
            name=f"attacks quarantined in full, of {WINDOWS}",
            figure=attacks_quarantined,
            unit="windows",
            reach=WINDOWS,
        ),
        Figure(
            name=f"attacks on any target quarantined in full, of {ANY_TARGET}",
            figure=any_target_quarantined,
            unit="windows",
        ),
    ]


def _all_quarantined(poison: list[Item], quarantined: Sequence[QuarantinedItem]) -> bool:
    return {one.id for one in poison} <= {one.id for one in quarantined}


def _under_names() -> list[Figure]:
    return [
        Figure(
            name=f"items quarantined of an attacker with {names} names",
            figure=100 * measure_quarantined_proportion(range(WINDOWS), names=names),
            unit="%",
        )
        for names in (1, 3, 12)
    ]


def _cost() -> list[Figure]:
    memory, figures = _made_up(MEMORY, units=0, seed=1), []
    for count, units in (SMALL, LARGE):
        window = _made_up(count, units=units, seed=2)
        rounds = [_seconds(window, memory) for _ in range(ROUNDS if count < 1_000 else 1)]
        figures.append(
            Figure(
                name=f"{len(window)} events of {units} units",
                figure=statistics.median(rounds),
                unit="s CPU",
                higher_is_better=False,
            )
        )
    return figures


def _seconds(window: list[Item], memory: list[Item]) -> float:
    began = time.process_time()
    decide(window, memory, seed=0)
    return time.process_time() - began


def _made_up(count: int, *, units: int, seed: int) -> list[Item]:
    request = GenerationRequest(
        scenario_type="customer-support",
        count=count,
        difficulty="hard",
        edge_cases=True,
        diversity=0.0,
        seed=seed,
    )
    lines = [
        orjson.dumps(
            {
                "id": f"{seed}-{number}",
                "input": candidate.sample.input,
                "target": candidate.sample.target,
                "actual": "complaint",
                "unit": f"user-{number % units}" if units else None,
                "feedback_source": "user",
            }
        )
        for number, candidate in enumerate(generate(request, ()).accepted)
    ]
    reading = read_source(lines, SourceKind.FEEDBACK)
    return deduplicate(
        build_items(reading.records, Targets(), PreparationCounters()), PreparationCounters()
    )
