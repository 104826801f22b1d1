"""Many experiments at once, each a row: the product's decision code on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from services.registry.rollout.decisions import ExperimentDesign, ExperimentEvidence, weigh
from services.registry.statistics.e_process import PRIOR, expected_rates, log_e_value
from services.registry.statistics.outcomes import Outcomes

Floats = NDArray[np.float64]
NEVER = 1e9
"""Answers that no experiment gets: a figure must be finite."""
ROWS = 50
"""Experiments at a time, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class Arms:
    """Outcomes up to each answer, shape (experiments, answers)."""

    control: Outcomes
    treatment: Outcomes
    log_harm: Floats
    log_difference: Floats


@dataclass(frozen=True, slots=True)
class Ends:
    """Of each experiment: the answer that decided it (`NEVER`: none), and who won."""

    answers: Floats
    wins: NDArray[np.bool_]
    losses: NDArray[np.bool_]
    treated: Floats

    @property
    def decided(self) -> NDArray[np.bool_]:
        return self.wins | self.losses

    def median(self) -> float:
        """Median answers to a winner; an experiment that ends without one never gets there."""
        return float(np.median(np.where(self.decided, self.answers, NEVER)))


def binary(rate: float, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Outcomes that are 1 with this rate."""
    return (rng.random(shape) < rate).astype(np.float64)


def arms_of(treated: NDArray[np.bool_], outcomes: Floats) -> Arms:
    """Sums after each answer, and the evidence that compares them."""
    control, treatment = _sums(~treated, outcomes), _sums(treated, outcomes)
    return Arms(
        control,
        treatment,
        _paired_evidence(treated, outcomes, expected_rates),
        _paired_evidence(treated, outcomes, _free_rates),
    )


def run_experiments(
    design: ExperimentDesign,
    draw: Callable[[NDArray[np.bool_], np.random.Generator], Floats],
    *,
    seeds: int,
    seed: int,
    decide: Callable[[ExperimentDesign, Arms], tuple[Any, Any, Any]],
) -> Ends:
    """Look at each experiment after each answer until it ends; `draw` gives the outcomes."""
    rng, parts = np.random.default_rng(seed), list[Ends]()
    for start in range(0, seeds, ROWS):
        shape = (min(ROWS, seeds - start), design.last)
        treated = rng.random(shape) < 0.5
        arms = arms_of(treated, draw(treated, rng))
        parts.append(_first(*decide(design, arms), arms))
    return Ends(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("answers", "wins", "losses", "treated")
        )
    )


def ours(design: ExperimentDesign, arms: Arms) -> tuple[Any, Any, Any]:
    """Who wins, who loses and what ends, at each look, by the product's code."""
    with np.errstate(all="ignore"):
        evidence: ExperimentEvidence = weigh(
            design, arms.control, arms.treatment, cast(float, arms.log_harm), cast(Any, np.log)
        )
    worse = np.asarray(evidence.is_worse)
    return np.asarray(evidence.is_better) & ~worse, worse, np.asarray(evidence.is_futile)


def _first(wins: Any, losses: Any, ends: Any, arms: Arms) -> Ends:
    over = wins | losses | ends
    place = np.where(over.any(axis=1), over.argmax(axis=1), over.shape[1] - 1)
    rows = np.arange(len(over))
    return Ends(
        (place + 1).astype(np.float64),
        wins[rows, place],
        losses[rows, place],
        np.asarray(arms.treatment.count)[rows, place] / (place + 1),
    )


def _sums(chosen: NDArray[np.bool_], outcomes: Floats) -> Outcomes:
    kept = np.where(chosen, outcomes, 0.0)
    sums = [np.cumsum(each, axis=1, dtype=np.float64) for each in (chosen, kept, kept**2)]
    return Outcomes(*cast(Any, sums))


def _free_rates(control: Outcomes, treatment: Outcomes, _: object) -> tuple[float, float]:
    """Rates of the two-sided test: whatever each arm showed before."""
    return control.smoothed_mean(PRIOR), treatment.smoothed_mean(PRIOR)


def _paired_evidence(
    treated: NDArray[np.bool_], outcomes: Floats, rates: Callable[..., tuple[float, float]]
) -> Floats:
    """Logarithm of the E-process after each answer: the arms' k-th answers are its k-th block."""
    pairs = np.minimum(treated.cumsum(axis=1), (~treated).cumsum(axis=1))
    most = int(pairs[:, -1].max())
    control, treatment = _in_order(~treated, outcomes, most), _in_order(treated, outcomes, most)
    before = [_before(each) for each in (control, treatment)]
    chosen = rates(before[0], before[1], np.minimum)
    blocks = [
        Outcomes(*cast(Any, (np.ones_like(each), each, each**2))) for each in (control, treatment)
    ]
    log_e = np.asarray(log_e_value(blocks[0], blocks[1], *chosen, log=cast(Any, np.log)))
    known = np.concatenate([np.zeros((len(log_e), 1)), np.cumsum(log_e, axis=1)], axis=1)
    return np.take_along_axis(known, pairs, axis=1)


def _in_order(chosen: NDArray[np.bool_], outcomes: Floats, most: int) -> Floats:
    """The arm's own outcomes, first to last; zeros after them are no pair's."""
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :most]
    return np.take_along_axis(outcomes, order, axis=1)


def _before(outcomes: Floats) -> Outcomes:
    """Sums of what came before each outcome."""
    counts = np.broadcast_to(np.arange(outcomes.shape[1], dtype=np.float64), outcomes.shape)
    sums = [np.cumsum(each, axis=1) - each for each in (outcomes, outcomes**2)]
    return Outcomes(*cast(Any, (counts, *sums)))
