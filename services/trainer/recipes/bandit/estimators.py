"""What a policy would have earned, from rewards that another policy's answers were given.

Each estimate is of the mean reward of one answer. A weight is the probability of the logged answer
under the policy over its propensity, the probability with which it was logged. Sources: D. G.
Horvitz and D. J. Thompson, JASA 47 (1952), for inverse propensities; A. Swaminathan and T.
Joachims, "The Self-Normalized Estimator for Counterfactual Learning", NIPS 2015; M. Dudik, J.
Langford and L. Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011. Clipping bounds the
variance and leaves a bias that no amount of logs removes (L. Bottou et al., JMLR 14 (2013), section
4); it stands here to be compared with.

Shape suffixes: N logged answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

DOUBLY_ROBUST_LOGS: Final = 5000
"""Logs with a propensity from which a doubly robust estimate is taken in place of a self-normalised
one: below, its model of the rewards is fitted to too few."""
CLIP: Final = 10.0
"""Largest weight of the clipped estimate."""
Z_95: Final = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


class Estimator(StrEnum):
    """How a value is estimated from logs."""

    INVERSE_PROPENSITY = "ips"
    CLIPPED = "clipped_ips"
    SELF_NORMALISED = "snips"
    DIRECT = "direct"
    DOUBLY_ROBUST = "dr"


@dataclass(frozen=True, slots=True)
class ValueEstimate:
    """An estimate of a mean reward, in the unit of the rewards."""

    value: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by the normal approximation."""
        reach = Z_95 * self.standard_error
        return self.value - reach, self.value + reach


@dataclass(frozen=True, slots=True)
class LoggedRewards:
    """Rewards with the probabilities of their answers; all of them [N], in double precision."""

    reward_N: Tensor
    propensity_N: Tensor
    policy_N: Tensor
    """Of the logged answers, under the policy that is estimated."""

    @property
    def weight_N(self) -> Tensor:
        """Policy over propensity."""
        return self.policy_N / self.propensity_N

    @property
    def effective_size(self) -> float:
        """Logs that would say as much if all weighed the same (L. Kish, "Survey Sampling", 1965).

        0 where the policy gives no logged answer at all.
        """
        squares = float(self.weight_N.square().sum())
        return float(self.weight_N.sum()) ** 2 / squares if squares else 0.0


def inverse_propensity(logs: LoggedRewards) -> ValueEstimate:
    """Mean of weighted rewards: unbiased, and of large variance where weights are large."""
    return _mean(logs.weight_N * logs.reward_N)


def clipped(logs: LoggedRewards, limit: float = CLIP) -> ValueEstimate:
    """The same with weights of at most `limit`."""
    return _mean(logs.weight_N.clamp(max=limit) * logs.reward_N)


def self_normalised(logs: LoggedRewards) -> ValueEstimate:
    """Weighted rewards over the sum of the weights; a constant added to all rewards is added to it.

    The standard error is that of a ratio, by the delta method (A. B. Owen, "Monte Carlo theory,
    methods and examples", equation 9.9). Without any weight it is not a number.
    """
    total = logs.weight_N.sum()
    if not total:
        return ValueEstimate(math.nan, math.nan)
    value = (logs.weight_N * logs.reward_N).sum() / total
    spread = (logs.weight_N * (logs.reward_N - value)).square().sum().sqrt() / total
    return ValueEstimate(float(value), float(spread))


def direct(expected_N: Tensor) -> ValueEstimate:
    """Mean of what a model of the rewards expects of the policy: as biased as that model."""
    return _mean(expected_N)


def doubly_robust(logs: LoggedRewards, expected_N: Tensor, predicted_N: Tensor) -> ValueEstimate:
    """The direct estimate, corrected by the weighted errors of its model.

    `expected_N` is the reward that the model expects of the policy in each context, `predicted_N`
    what it predicts of the logged answer. Unbiased where either the propensities or the model are
    right; the model must not have been fitted to these logs.
    """
    return _mean(expected_N + logs.weight_N * (logs.reward_N - predicted_N))


def choose_estimator(logs_with_propensity: int) -> Estimator:
    """The one that decides, by the number of logs."""
    if logs_with_propensity == 0:
        return Estimator.DIRECT
    if logs_with_propensity < DOUBLY_ROBUST_LOGS:
        return Estimator.SELF_NORMALISED
    return Estimator.DOUBLY_ROBUST


def _mean(values_N: Tensor) -> ValueEstimate:
    count = len(values_N)
    if count == 0:
        return ValueEstimate(math.nan, math.nan)
    deviation = float(torch.std(values_N, correction=1)) if count > 1 else math.nan
    return ValueEstimate(float(values_N.mean()), deviation / math.sqrt(count))
