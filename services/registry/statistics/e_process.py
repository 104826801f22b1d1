"""Evidence that a candidate is worse, valid at every moment and from the first answer on.

Turner, Ly and Grünwald (2024), "Generic E-variables for exact sequential k-sample tests that allow
for optional stopping", Journal of Statistical Planning and Inference 230 (arXiv:2106.02693),
section 2: with n_a and n_b outcomes in a block and any rates q_a, q_b that were chosen before,

    E = product of q_a^y (1 - q_a)^(1 - y) over a, and of q_b^y (1 - q_b)^(1 - y) over b,
        divided by the same with q_0 = (n_a q_a + n_b q_b) / (n_a + n_b) for both,

has an expectation of at most 1 where both arms have the same rate. A product of such blocks
is a test martingale, and by Ville's inequality reaches 1 / alpha with probability alpha at most.

Two things follow that the paper leaves to its reader. With q_b <= q_a the expectation falls with
the treatment's rate, so the product is also valid against "the treatment is as good or better".
And an outcome y between 0 and 1 may stand for a binary one, since x^y z^(1-y) <= y x + (1 - y) z:
the product with such outcomes is at most a betting process on bounded means, which has the same
bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from services.registry.statistics.outcomes import NO_OUTCOMES, Outcomes

PRIOR = 0.18
"""Outcomes of each kind that a rate's estimate begins with; what the paper's simulations favour."""


def log_e_value(
    control: Outcomes,
    treatment: Outcomes,
    control_rate: float,
    treatment_rate: float,
    log: Callable[[float], float] = math.log,
) -> float:
    """Natural logarithm of a block's E-value; 0 for a block with outcomes of one arm alone.

    The rates are in (0, 1) and must not depend on the block.
    """
    both = control + treatment
    null_rate = (control.count * control_rate + treatment.count * treatment_rate) / (
        both.count + 1e-300
    )
    alternative = _log_likelihood(control, control_rate, log) + _log_likelihood(
        treatment, treatment_rate, log
    )
    return alternative - _log_likelihood(both, null_rate + 1e-300, log)


def expected_rates(
    control: Outcomes, treatment: Outcomes, least: Callable[[float, float], float] = min
) -> tuple[float, float]:
    """Rates of the alternative for the next block, from the blocks before.

    The treatment's is never above the control's, because the alternative is harm.
    """
    expected = control.smoothed_mean(PRIOR)
    return expected, least(expected, treatment.smoothed_mean(PRIOR))


def _log_likelihood(outcomes: Outcomes, rate: float, log: Callable[[float], float]) -> float:
    return outcomes.total * log(rate) + (outcomes.count - outcomes.total) * log(1 - rate)


@dataclass(frozen=True, slots=True)
class HarmProcess:
    """The E-process of one experiment: evidence that the treatment's mean outcome is lower.

    Outcomes may come in portions of any size. Those of one arm wait for some of the other, since a
    block with one arm says nothing; rates are estimated from the blocks before.
    """

    log_e: float = 0.0
    control: Outcomes = NO_OUTCOMES
    treatment: Outcomes = NO_OUTCOMES
    waiting_control: Outcomes = NO_OUTCOMES
    waiting_treatment: Outcomes = NO_OUTCOMES

    def add(self, control: Outcomes, treatment: Outcomes) -> HarmProcess:
        """The process after a portion of outcomes."""
        control, treatment = self.waiting_control + control, self.waiting_treatment + treatment
        if not control.count or not treatment.count:
            return HarmProcess(self.log_e, self.control, self.treatment, control, treatment)
        rates = expected_rates(self.control, self.treatment)
        return HarmProcess(
            self.log_e + log_e_value(control, treatment, *rates),
            self.control + control,
            self.treatment + treatment,
        )

    def shows_harm(self, alpha: float) -> bool:
        """Whether harm is shown: falsely with probability `alpha` at most, however often asked."""
        return self.log_e >= math.log(1 / alpha)


NO_EVIDENCE = HarmProcess()
