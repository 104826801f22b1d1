"""A test that may be looked at after every answer until an experiment's last one.

The statistic is the signed root of the deviance, compared with a critical value at every look:
Armitage, McPherson and Rowe (1969), "Repeated significance tests on accumulating data", JRSS A 132;
Siegmund (1985), "Sequential Analysis", chapter 4. It is asymptotic, like the sequences of
Waudby-Smith et al., but spends its alpha until the last answer and not for ever: their boundary,
tuned for one sample size, is up to half as wide again elsewhere.

By default the critical value is lower at the first looks and at the last ones than between
(`boundary`). With an equal value at all looks, large and small differences would need more
answers, in parts of a fixed sample for the same difference, than those between.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from services.registry.statistics.outcomes import Outcomes, square_root

DISPERSION_WEIGHT = 1.0
"""Outcomes' worth of binomial spread that the dispersion's estimate begins with."""
LARGEST_CRITICAL_VALUE = 12.0
RISE = 0.4
"""How much higher the critical value is half-way, in log n; chosen on other differences and seeds
than those of the benchmark `rollout_decisions`."""
INTEGRATION_STEPS = 64


def signed_deviance_root(
    control: Outcomes, treatment: Outcomes, log: Callable[[float], float] = math.log
) -> float:
    """The treatment's lead in standard normal units where both arms are equal; negative: behind.

    sign(d) sqrt(2 (n_c KL(m_c, m) + n_t KL(m_t, m)) / f): the deviance of two binomial samples,
    with means m_c, m_t and m of both, over the dispersion f of McCullagh and Nelder (1989),
    "Generalized Linear Models", 4.5. For outcomes of 0 and 1, f is exactly 1; rewards in between
    spread less, and without f would count as less certain than they are.
    """
    both = control + treatment
    deviance = 2 * (
        control.count * _divergence(control.mean, both.mean, log)
        + treatment.count * _divergence(treatment.mean, both.mean, log)
    )
    difference = treatment.mean - control.mean
    sign = difference / (abs(difference) + 1e-300)
    # Rounding may leave a deviance of two equal arms just below 0.
    return sign * square_root(abs(deviance) / _dispersion(control, treatment))


def _divergence(mean: float, null: float, log: Callable[[float], float]) -> float:
    """Kullback-Leibler divergence of two Bernoulli variables, in nats; 0 log 0 is 0."""
    tiny = 1e-15
    return mean * log((mean + tiny) / (null + tiny)) + (1 - mean) * log(
        (1 - mean + tiny) / (1 - null + tiny)
    )


def _dispersion(control: Outcomes, treatment: Outcomes) -> float:
    binomial = control.count * control.mean * (1 - control.mean) + (
        treatment.count * treatment.mean * (1 - treatment.mean)
    )
    weight = DISPERSION_WEIGHT
    return (control.spread + treatment.spread + weight) / (binomial + weight)


def boundary(
    lowest: float,
    count: float,
    first: float,
    last: float,
    rise: float = RISE,
    log: Callable[[float], float] = math.log,
) -> float:
    """The critical value at a look: `lowest` at the first and the last one, `rise` more half-way.

    A parabola in the logarithm of the answers; without a rise it is the same at every look.
    """
    part = log(count / first) / math.log(last / first)
    return lowest + rise * 4 * part * (1 - part)


def crossing_probability(lowest: float, first: float, last: float, rise: float = RISE) -> float:
    """Probability that a standardised Brownian motion exceeds the boundary between two times.

    One-sided: the tail at the first look, 1 - Phi(b), and the integral of phi(b) (b - 1/b) / 2 over
    log time; Siegmund (1985), chapter 4, for a constant b, applied to each moment's.
    """
    length, exceeded = math.log(last / first), 0.5 * math.erfc(lowest / math.sqrt(2))
    for step in range(INTEGRATION_STEPS):
        time = first * math.exp(length * (step + 0.5) / INTEGRATION_STEPS)
        b = boundary(lowest, time, first, last, rise)
        density = math.exp(-b * b / 2) / math.sqrt(2 * math.pi)
        exceeded += density * (b - 1 / b) / 2 * length / INTEGRATION_STEPS
    return exceeded


def lowest_critical_value(alpha: float, first: float, last: float, rise: float = RISE) -> float:
    """`lowest` of the boundary that is exceeded at any look with probability alpha, one-sided.

    Raises:
        ValueError: alpha is not in (0, 0.5), or there is no look between the two.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; it must be above 0 and below 0.5")
    if not 0 < first < last:
        raise ValueError(f"looks from {first} to {last} answers are none; raise the last")
    low, high = 1.0, LARGEST_CRITICAL_VALUE
    for _ in range(50):
        middle = (low + high) / 2
        if crossing_probability(middle, first, last, rise) > alpha:
            low = middle
        else:
            high = middle
    return high
