"""Whether the arms get the traffic that they should: if not, no comparison of them is fair."""

from __future__ import annotations

from math import exp, lgamma, log

CONCENTRATION = 100.0
"""Pseudo-answers of the prior around the intended proportion, the paper's example."""


def log_mismatch(treated: int, answers: int, proportion: float) -> float:
    """Natural logarithm of the evidence against the intended proportion of treated answers.

    Lindon and Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS 35
    (arXiv:2011.03567), with two arms: the Bayes factor of a beta prior around the
    proportion against the proportion itself, a martingale where the latter is true.

    Raises:
        ValueError: the proportion is not between 0 and 1, or there are more treated than answers.
    """
    if not 0 < proportion < 1:
        raise ValueError(f"proportion is {proportion}; it must be above 0 and below 1")
    if not 0 <= treated <= answers:
        raise ValueError(f"{treated} of {answers} answers cannot be the treatment's")
    rest = answers - treated
    a, b = CONCENTRATION * proportion, CONCENTRATION * (1 - proportion)
    mixture = _log_beta(a + treated, b + rest) - _log_beta(a, b)
    return mixture - treated * log(proportion) - rest * log(1 - proportion)


def mismatch_p_value(treated: int, answers: int, proportion: float) -> float:
    """A p-value that holds at every look, one over the evidence (Ville's inequality).

    Raises:
        ValueError: as `log_mismatch`.
    """
    return min(1.0, exp(-max(0.0, log_mismatch(treated, answers, proportion))))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
