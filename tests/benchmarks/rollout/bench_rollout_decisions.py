"""Requests to the decision of an A/B test, and false winners between equal arms, by simulation.

Every request is scored, right or wrong, and there is a look after each one. Beside the product's
rule: its E-process alone, an asymptotic confidence sequence alone (tuned at 500 requests), and a
sample size fixed in advance for 80 % power at the true difference, which nobody knows. The rule's
constants were chosen on other rates and seeds (tests/benchmarks/README.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from services.registry.rollout.decisions import ExperimentDesign
from services.registry.statistics.sequences import asymptotic_radius, difference, standard_error
from tests.benchmarks.harness import Figure
from tests.benchmarks.rollout.streams import Arms, Ends, Floats, binary, ours, run_experiments

ALPHA: Final = 0.05
LAST = 10_000
LONGEST = 30_000
"""For the rules that never give up."""
EQUAL_SEEDS = 2_000
SEEDS_EACH = 200
SEED = 7107
TINY = {"LAST": 400, "LONGEST": 400, "EQUAL_SEEDS": 20, "SEEDS_EACH": 10}
TUNED_AT: Final = 500.0
SCENARIOS: Final = ((0.50, 0.85, 48.0), (0.50, 0.60, 748.0), (0.70, 0.73, 5885.0))
"""Rates of the deployed version and the candidate, and the best of the rules measured before."""

Rule = Callable[[ExperimentDesign, Arms], tuple[Any, Any, Any]]


def run() -> list[Figure]:
    """Simulate every rule on the same streams."""
    figures = []
    for name, rule, last in RULES:
        equal = _simulate(0.70, 0.70, rule, last, EQUAL_SEEDS)
        reach = ALPHA if rule is ours else None
        title = f"{name}: false winner, 0.70/0.70"
        false = 100 * float(equal.decided.mean())
        figures.append(_figure(title, false, "%", 100 * reach if reach else None))
        for control, treatment, best in SCENARIOS:
            ends = _simulate(control, treatment, rule, last, SEEDS_EACH)
            pair = f"{name}: {control:.2f}/{treatment:.2f}"
            figures += _of_scenario(pair, ends, best if rule is ours else None)
    for control, treatment, _ in SCENARIOS:
        size = fixed_sample_size(control, treatment)
        figures.append(_figure(f"fixed sample: {control:.2f}/{treatment:.2f}", size, "requests"))
    figures += _of_worse_candidates()
    return figures


def _of_scenario(pair: str, ends: Ends, best: float | None) -> list[Figure]:
    wrong = 100 * float(ends.losses.mean())
    loser = 100 * float(1 - ends.treated.mean())
    return [
        _figure(f"{pair}, median", ends.median(), "requests", best),
        _figure(f"{pair}, wrong winner", wrong, "%", 100 * ALPHA if best else None),
        _figure(f"{pair}, undecided", 100 * float(1 - ends.decided.mean()), "%"),
        _figure(f"{pair}, traffic on the loser", loser, "%"),
    ]


def _of_worse_candidates() -> list[Figure]:
    """A worse candidate loses, or its experiment ends as futile: both keep the deployed version."""
    figures = []
    for treatment, control, _ in SCENARIOS:
        ends = _simulate(control, treatment, ours, LAST, SEEDS_EACH)
        pair = f"ours, candidate worse: {control:.2f}/{treatment:.2f}"
        wrong = 100 * float(ends.wins.mean())
        figures += [
            _figure(f"{pair}, median to the end", float(np.median(ends.answers)), "requests"),
            _figure(f"{pair}, wrong winner", wrong, "%", 100 * ALPHA),
        ]
    return figures


def _simulate(control: float, treatment: float, rule: Rule, last: int, seeds: int) -> Ends:
    def draw(treated: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
        control_outcomes = binary(control, cast(Any, treated.shape), rng)
        return np.where(treated, binary(treatment, cast(Any, treated.shape), rng), control_outcomes)

    design = ExperimentDesign(ALPHA, last)
    return run_experiments(design, draw, seeds=seeds, seed=SEED, decide=rule)


def e_process_alone(design: ExperimentDesign, arms: Arms) -> tuple[Any, Any, Any]:
    """Turner and Grünwald's test of any difference."""
    decided = arms.log_difference >= math.log(1 / design.alpha)
    ahead = np.asarray(difference(arms.control, arms.treatment)) > 0
    return decided & ahead, decided & ~ahead, np.zeros_like(decided)


def asymptotic_alone(design: ExperimentDesign, arms: Arms) -> tuple[Any, Any, Any]:
    """Waudby-Smith et al.'s sequence for the difference, from the 20th request on."""
    count = arms.control.count + arms.treatment.count
    radius = np.asarray(asymptotic_radius(count, design.alpha, TUNED_AT, cast(Any, np.log)))
    lead = np.asarray(difference(arms.control, arms.treatment)) / np.asarray(
        standard_error(arms.control, arms.treatment)
    )
    enough = np.asarray(count) >= 20
    return (lead >= radius) & enough, (lead <= -radius) & enough, np.zeros_like(enough)


def fixed_sample_size(control: float, treatment: float, power: float = 0.8) -> float:
    """Requests of both arms together; Fleiss (1981), unpooled variance, two-sided alpha."""
    needed = (norm.isf(ALPHA / 2) + norm.ppf(power)) ** 2
    variance = control * (1 - control) + treatment * (1 - treatment)
    return float(round(2 * needed * variance / (treatment - control) ** 2))


RULES: Final = (
    ("ours", ours, LAST),
    ("e-process alone", e_process_alone, LONGEST),
    ("asymptotic sequence alone", asymptotic_alone, LONGEST),
)


def _figure(name: str, value: float, unit: str, reach: float | None = None) -> Figure:
    return Figure(name=name, figure=value, unit=unit, reach=reach, higher_is_better=False)
