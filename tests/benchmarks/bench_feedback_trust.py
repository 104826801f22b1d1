"""Feedback trust: whom it holds in windows of real requests, and what it costs.

No model takes part: CLINC150 requests are judged by an attacker, or honestly, and data preparation
weighs them. In the other windows the attacker's target may be any intent that the agent knows. The
cost is that of made-up windows with many users, in CPU time of this process.
"""

import random
import statistics
import time
from collections.abc import Sequence

import orjson

from archon_contracts.commands import SourceKind
from services.data_prep.cleaning.cleaning import once_each, usable
from services.data_prep.domain import Held, Item, Tally, Targets
from services.data_prep.sources.records import read_source
from services.synthetic_generator.domain import Wish
from services.synthetic_generator.generation import generate
from tests.benchmarks.harness import Figure
from tests.support.data.poisoned_windows import decided, lies, share_held, windows

WINDOWS, ANY_TARGET, ROUNDS, MEMORY = 20, 40, 5, 2_000
SMALL, LARGE = (300, 30), (10_000, 500)
"""Judgements and units."""


def run() -> list[Figure]:
    """Weigh them all."""
    return [*_who_is_held(), *_under_names(), *_cost()]


def _who_is_held() -> list[Figure]:
    honest_held = attacks_held = 0
    for seed, (told, known, honest) in enumerate(windows(range(WINDOWS))):
        honest_held += len(decided(honest, known, seed).held)
        attacks_held += _whole(lies(told), decided([*honest, *lies(told)], known, seed).held)
    any_held = 0
    for seed, (told, known, honest) in enumerate(windows(range(ANY_TARGET))):
        others = sorted(set(told.live) - {told.victim})
        poison = lies(told, wanted=random.Random(f"target {seed}").choice(others))
        any_held += _whole(poison, decided([*honest, *poison], known, seed).held)
    return [
        Figure(
            name=f"honest judgements held in {WINDOWS} windows",
            figure=honest_held,
            unit="judgements",
            reach=0,
            higher_is_better=False,
        ),
        Figure(
            name=f"attacks held in full, of {WINDOWS}",
            figure=attacks_held,
            unit="windows",
            reach=WINDOWS,
        ),
        Figure(
            name=f"attacks on any target held in full, of {ANY_TARGET}",
            figure=any_held,
            unit="windows",
        ),
    ]


def _whole(poison: list[Item], held: Sequence[Held]) -> bool:
    return {one.id for one in poison} <= {one.id for one in held}


def _under_names() -> list[Figure]:
    return [
        Figure(
            name=f"lies held of an attacker with {names} names",
            figure=100 * share_held(range(WINDOWS), names=names),
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
                name=f"{len(window)} judgements of {units} units",
                figure=statistics.median(rounds),
                unit="s CPU",
                higher_is_better=False,
            )
        )
    return figures


def _seconds(window: list[Item], memory: list[Item]) -> float:
    began = time.process_time()
    decided(window, memory, seed=0)
    return time.process_time() - began


def _made_up(count: int, *, units: int, seed: int) -> list[Item]:
    wish = Wish(
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
                "unit_id": f"user-{number % units}" if units else None,
                "given_by": "user",
            }
        )
        for number, candidate in enumerate(generate(wish, ()).accepted)
    ]
    reading = read_source(lines, SourceKind.FEEDBACK)
    return once_each(usable(reading.records, Targets(), Tally()), Tally())
