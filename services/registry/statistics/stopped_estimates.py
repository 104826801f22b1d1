"""Estimates of experiments that were stopped because of what they showed."""

from __future__ import annotations

from services.registry.statistics.outcomes import Outcomes
from services.registry.statistics.sequences import Interval, difference, standard_error


def corrected_difference(observed: float, critical_value: float) -> float:
    """The difference of means without the luck that stopped the experiment, to first order.

    For a Brownian motion with drift d that stops at time T, the mean of d's estimate minus d is the
    derivative of E[1 / T] (Whitehead 1986, "On the bias of maximum likelihood estimation following
    a sequential test", Biometrika 73). A test with critical value b stops near T = (b / d)^2, so
    the estimate is d (1 + 2 / b^2) in the mean.
    """
    return observed / (1 + 2 / critical_value**2)


def stopped_estimate(control: Outcomes, treatment: Outcomes, critical_value: float) -> Interval:
    """The corrected difference after a decision, with bounds that hold at every look until then."""
    observed = difference(control, treatment)
    radius = critical_value * standard_error(control, treatment)
    value = corrected_difference(observed, critical_value)
    return Interval(value, max(-1.0, observed - radius), min(1.0, observed + radius))
