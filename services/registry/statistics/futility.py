"""Whether an experiment can still be decided before it ends."""

from __future__ import annotations

from services.registry.statistics.outcomes import Outcomes, square_root
from services.registry.statistics.sequences import difference, standard_error

LEAST_PROGRESS = 0.2
"""Part of the longest experiment before which none is called futile: early estimates say little."""
OPTIMISM = 1.6449
"""Standard errors by which the truth is assumed better than the estimate: its 95 % upper limit."""
LEAST_POWER_QUANTILE = -1.6449
"""Normal quantile of the smallest probability of a decision that is worth going on for, 0.05."""


def distance_from_decision(
    control: Outcomes, treatment: Outcomes, lead: float, critical_value: float, last: float
) -> float:
    """Normal quantile of the probability that the lead exceeds its critical value at the last look.

    Stochastic curtailment on B-values, Lan and Wittes (1988), "The B-value: a tool for monitoring
    data", Biometrics 44: with a proportion t of the answers seen and the lead Z, B = Z sqrt(t)
    goes on as a Brownian motion, whose drift is taken at the upper limit of what the answers allow.
    """
    # The addend keeps an experiment without answers from dividing by zero.
    seen = (control.count + treatment.count) / last + 1e-12
    left = abs(1 - seen) + 1e-9
    error = standard_error(control, treatment)
    best = difference(control, treatment) + OPTIMISM * error
    drift = best / (error * square_root(seen))
    return (lead * square_root(seen) + drift * left - critical_value) / square_root(left)


def is_futile(
    control: Outcomes, treatment: Outcomes, lead: float, critical_value: float, last: float
) -> bool:
    """Whether a win by the last answer is unlikely even where the truth is kind.

    It only ever ends experiments, so it adds no false winner and need not be obeyed for the bounds
    of the other rules to hold.
    """
    seen = (control.count + treatment.count) / last
    quantile = distance_from_decision(control, treatment, lead, critical_value, last)
    return (seen >= LEAST_PROGRESS) & (quantile < LEAST_POWER_QUANTILE)
