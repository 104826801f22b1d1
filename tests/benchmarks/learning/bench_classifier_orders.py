"""Harder orders of CLINC150 for the classifier's recipe: split, returning and withdrawn topics.

The product's recipe without its services and gate, each order beside the joint fit of the same
rows: one domain in five steps of three intents among the others; a domain that comes with half of
its rows first and with the others last; a label that is withdrawn and comes back. Then all intents
in random order in 15 tasks, for which results without replay were published (another backbone, and
all training rows: 84.5 final, 89.4 average over the steps).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.clinc import (
    Domain,
    FrozenVectors,
    forgetting,
    mean,
    merge,
    own_closed_form,
    plain_closed_form,
    read_domains,
    regroup,
)
from tests.benchmarks.learning.own_recipe import OwnClassifier

SEEDS, DOMAINS, PER_INTENT = (0, 1, 2), 10, 20
TEST_PER_INTENT: int | None = None
INTENTS: int | None = None
"""Of each domain; None: all."""
PARTS, TASKS = 5, 15
CONFIG: dict[str, Any] = {}
"""Of each training, beyond the defaults."""
TINY = {
    "SEEDS": (0,),
    "DOMAINS": 2,
    "INTENTS": 4,
    "PER_INTENT": 4,
    "TEST_PER_INTENT": 1,
    "PARTS": 2,
    "TASKS": 2,
    "CONFIG": {"max_steps": 2},
}
PUBLISHED_FINAL, PUBLISHED_AVERAGE = 0.845, 0.894


@dataclass(frozen=True, slots=True)
class OrderResult:
    """Accuracies by domain after each step, and those of the joint fits at each step."""

    history: tuple[dict[str, float], ...]
    plain: tuple[dict[str, float], ...]
    own: tuple[dict[str, float], ...]

    @property
    def below_joint(self) -> float:
        """How far the end is below the better joint fit."""
        return max(mean(self.plain[-1]), mean(self.own[-1])) - mean(self.history[-1])

    @property
    def summary(self) -> str:
        """The figures of one seed in a line."""
        lost, joint = forgetting(self.history), forgetting(self.own)
        beyond = max(lost[name] - joint[name] for name in lost)
        average = statistics.fmean(mean(step) for step in self.history)
        return (
            f"final {mean(self.history[-1]):.4f}, average {average:.4f}, joint fits "
            f"{mean(self.plain[-1]):.4f} and {mean(self.own[-1]):.4f}, forgetting {mean(lost):.4f} "
            f"(joint {mean(joint):.4f}), worst {max(lost.values()):.4f} ({beyond:.4f} beyond)"
        )


def run() -> list[Figure]:
    """All orders once per seed; figures are medians over the seeds."""
    pooled, layers = FrozenVectors(), FrozenVectors("layers")
    orders: dict[str, Callable[[int], list[Domain]]] = {
        "one domain in five steps": _split,
        "a domain that returns": _returning,
        "15 tasks": _tasks,
    }
    results: dict[str, list[OrderResult]] = {name: [] for name in orders}
    withdrawn = []
    for seed in SEEDS:
        withdrawn.append(_withdraw(seed, layers))
        print(f"seed {seed}, a label withdrawn: {withdrawn[-1]}", flush=True)
        for name, order in orders.items():
            results[name].append(_run_order(order(seed), seed, pooled, layers))
            print(f"seed {seed}, {name}: {results[name][-1].summary}", flush=True)
    figures = [figure for name, found in results.items() for figure in _figures(name, found)]
    average = [statistics.fmean(mean(step) for step in r.history) for r in results["15 tasks"]]
    return [
        *figures,
        median("15 tasks: average over the steps", average, reach=PUBLISHED_AVERAGE),
        median(
            "15 tasks: final",
            [mean(r.history[-1]) for r in results["15 tasks"]],
            reach=PUBLISHED_FINAL,
        ),
        median(
            "a label withdrawn: others below a fit without it",
            [below for below, _, _ in withdrawn],
            reach=0.01,
            higher_is_better=False,
        ),
        median(
            "a label withdrawn: its requests that are still answered with it",
            [answered for _, answered, _ in withdrawn],
            reach=0.0,
            higher_is_better=False,
        ),
        median(
            "a label that comes back: lost of its accuracy",
            [lost for _, _, lost in withdrawn],
            reach=0.03,
            higher_is_better=False,
        ),
    ]


def _figures(name: str, results: Sequence[OrderResult]) -> list[Figure]:
    def figure(what: str, of: Callable[[OrderResult], float], reach: float | None) -> Figure:
        values = [of(result) for result in results]
        return median(f"{name}: {what}", values, reach=reach, higher_is_better=False)

    return [
        median(f"{name}: final mean", [mean(result.history[-1]) for result in results]),
        figure("below the better joint fit", lambda r: r.below_joint, 0.01),
        figure(
            "forgetting beyond the joint fit's, mean",
            lambda r: mean(forgetting(r.history)) - mean(forgetting(r.own)),
            0.01,
        ),
        figure("forgetting, worst domain", lambda r: max(forgetting(r.history).values()), None),
        figure(
            "forgetting beyond the joint fit's, worst domain",
            lambda r: max(
                lost - forgetting(r.own)[domain] for domain, lost in forgetting(r.history).items()
            ),
            0.03,
        ),
    ]


def _domains(seed: int) -> list[Domain]:
    domains = read_domains(seed, PER_INTENT, test=TEST_PER_INTENT)[:DOMAINS]
    return [domain.part(domain.name, domain.intents[:INTENTS]) for domain in domains]


def _split(seed: int) -> list[Domain]:
    """The first domain's intents come three at a time, each part before another whole domain."""
    first, *others = _domains(seed)
    size = len(first.intents) // PARTS
    parts = [
        first.part(f"{first.name} {n}", first.intents[n * size : (n + 1) * size])
        for n in range(PARTS)
    ]
    order: list[Domain] = []
    for n, part in enumerate(parts):
        order += [part, *others[n : n + 1]]
    return order + others[PARTS:]


def _returning(seed: int) -> list[Domain]:
    """The first domain's rows come by halves, first and last; each has half of every intent."""
    first, *others = _domains(seed)
    by_intent = sorted(first.train, key=lambda row: row[1])
    halves = [
        Domain(first.name, first.intents, tuple(by_intent[half::2]), (), first.test)
        for half in (0, 1)
    ]
    return [halves[0], *others, halves[1]]


def _tasks(seed: int) -> list[Domain]:
    domains = _domains(seed)
    intents = sum(len(domain.intents) for domain in domains)
    return regroup(domains, intents // TASKS, seed)


def _run_order(
    order: Sequence[Domain], seed: int, pooled: FrozenVectors, layers: FrozenVectors
) -> OrderResult:
    history, plain, own = [], [], []
    with OwnClassifier(seed, CONFIG) as classifier:
        for step, window in enumerate(order):
            known = order[: step + 1]
            # A domain that returns is scored once.
            distinct = list({domain.name: domain for domain in known}.values())
            labels = list(dict.fromkeys(i for domain in known for i in domain.intents))
            classifier.learn(window.train, labels)
            history.append(classifier.accuracy(distinct, layers))
            rows = merge("all", known).train
            plain.append(plain_closed_form(pooled, rows, distinct))
            own.append(own_closed_form(layers, rows, distinct))
    return OrderResult(tuple(history), tuple(plain), tuple(own))


def _withdraw(seed: int, frozen: FrozenVectors) -> tuple[float, float, float]:
    """After all domains the first label is withdrawn with a window, and comes back with another.

    How far the other intents are below a fit that never saw it, how often its own requests are
    still answered with it, and what it lost when it is back.
    """
    *taught, first_window, second_window = _with_windows(_domains(seed))
    everything = merge("all", [*taught, first_window, second_window])
    gone = everything.intents[0]
    kept = [intent for intent in everything.intents if intent != gone]
    others, own = everything.part("others", kept), everything.part("own", [gone])
    with OwnClassifier(seed, CONFIG) as classifier:
        for domain in taught:
            classifier.learn(domain.train, everything.intents)
        before = classifier.accuracy([own], frozen)["own"]
        classifier.learn(first_window.train, kept)
        without = classifier.accuracy([others, own], frozen)
        classifier.learn(second_window.train, everything.intents)
        back = classifier.accuracy([own], frozen)["own"]
    seen = merge("seen", [*taught, first_window]).part("seen", kept).train
    joint = own_closed_form(frozen, seen, [others])["others"]
    return joint - without["others"], without["own"], before - back


def _with_windows(domains: Sequence[Domain]) -> list[Domain]:
    """The last domain's rows as two windows at the end."""
    *taught, last = domains
    return [
        *taught,
        *(
            Domain(f"{last.name} {h}", last.intents, last.train[h::2], (), last.test)
            for h in (0, 1)
        ),
    ]
