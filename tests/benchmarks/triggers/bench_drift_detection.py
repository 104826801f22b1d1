"""Events until a change of production is found: CLINC150 goes from five domains to eight.

An agent knows the intents of five domains (discriminant analysis of frozen vectors). From event
`CHANGE` on, requests come from eight, held-out rows in equal parts. Each answer is rated right or
wrong by one of twenty raters. Beside them, as many streams without a change, which last as long as
those with one. The trigger is the product's own; its evidence comes of the bound on false alarms.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from archon_contracts.triggers import ObservedAnswer, StreamState, TriggerView, decide, observe
from archon_contracts.values import TriggerPolicy
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import (
    PLAIN_SHRINKAGE,
    FrozenVectors,
    Row,
    merge,
    read_domains,
    unit,
)
from tests.support.messaging.messages import NOON

SEEDS = tuple(range(50))
CHANGE, AFTER = 5_000, 5_000
KNOWN, ALL, TRAINED, RATERS = 5, 8, 20, 20
TINY = {"SEEDS": (0,), "CHANGE": 300, "AFTER": 200, "KNOWN": 1, "ALL": 2, "TRAINED": 2}
POLICY = TriggerPolicy(minimum_feedback=1_000_000, maximum_feedback=1_000_000, error_rise=0.1)


def run() -> list[Figure]:
    """Median delay, found ones, and false alarms over the seeds."""
    frozen = FrozenVectors()
    delays, early, false = list[int](), 0, 0
    for seed in SEEDS:
        before, after = _answers(frozen, seed)
        found = _first_alarm([*_stream(before, CHANGE, seed), *_stream(after, AFTER, seed + 1)])
        early += found is not None and found < CHANGE
        if found is None or found >= CHANGE:
            delays.append(AFTER if found is None else found - CHANGE + 1)
        stationary = _first_alarm(_stream(before, CHANGE + AFTER, seed + 2))
        false += stationary is not None
    return [
        Figure(
            name="events until the change is found, median",
            figure=statistics.median(delays or [AFTER]),
            unit="events",
            reach=300,
            higher_is_better=False,
        ),
        Figure(name="the slowest of them", figure=max(delays or [AFTER]), unit="events"),
        Figure(
            name="streams without a change with an alarm",
            figure=100 * false / len(SEEDS),
            unit="%",
            reach=5,
            higher_is_better=False,
        ),
        Figure(name="alarms before the change", figure=100 * early / len(SEEDS), unit="%"),
    ]


def _answers(frozen: FrozenVectors, seed: int) -> tuple[list[bool], list[bool]]:
    """Whether each held-out row of the known domains, and of all, is answered right."""
    domains = read_domains(seed, TRAINED)
    known, everything = merge("known", domains[:KNOWN]), merge("all", domains[:ALL])
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=PLAIN_SHRINKAGE)
    model.fit(unit(frozen.embed([text for text, _ in known.train])), [i for _, i in known.train])

    def right(rows: Sequence[Row]) -> list[bool]:
        answers = model.predict(unit(frozen.embed([text for text, _ in rows])))
        return [bool(a == i) for a, (_, i) in zip(answers, rows, strict=True)]

    return right(known.test), right(everything.test)


def _stream(right: Sequence[bool], count: int, seed: int) -> Iterator[ObservedAnswer]:
    choose = random.Random(seed)
    for _ in range(count):
        yield ObservedAnswer(choose.choice(right), None, None, f"rater {choose.randrange(RATERS)}")


def _first_alarm(answers: Sequence[ObservedAnswer] | Iterator[ObservedAnswer]) -> int | None:
    """The place of the first event at which the trigger fires, from 0."""
    state = StreamState()
    for place, answer in enumerate(answers):
        state = observe(state, [answer], POLICY.error_rise)
        view = TriggerView(unused=place + 1, oldest_unused_at=NOON, stream=state)
        if decide(view, POLICY, NOON) is not None:
            return place
    return None
