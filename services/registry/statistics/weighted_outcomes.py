"""The mean outcome of all answers, from those that were scored with a known probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from services.registry.statistics.sequences import Interval

NORMAL_975: Final = 1.959964


@dataclass(frozen=True, slots=True)
class WeightedOutcomes:
    """Sums over scored answers whose probability q of being scored is known; weight w = 1 / q.

    `weights` is the sum of w, `weight_squares` of w^2, `total` of w y with the outcome y,
    `products` of w^2 y, `squares` of w^2 y^2. They may be added in any order.
    """

    count: float = 0
    weights: float = 0.0
    weight_squares: float = 0.0
    total: float = 0.0
    products: float = 0.0
    squares: float = 0.0

    def __add__(self, other: WeightedOutcomes) -> WeightedOutcomes:
        return WeightedOutcomes(
            self.count + other.count,
            self.weights + other.weights,
            self.weight_squares + other.weight_squares,
            self.total + other.total,
            self.products + other.products,
            self.squares + other.squares,
        )


NOT_WEIGHTED: Final = WeightedOutcomes()


def self_normalized_mean(outcomes: WeightedOutcomes) -> Interval | None:
    """Mean outcome of all answers with its 95 % interval of one moment; None: nothing is known.

    The ratio estimator of Hájek (1971), comment on Basu, in Godambe and Sprott (editors), pages 203
    to 242; with propensities of a logging policy known as SNIPS, Swaminathan and
    Joachims (2015), "The Self-Normalized Estimator for Counterfactual Learning", NeurIPS 28:

        m = sum w y / sum w,  with variance sum w^2 (y - m)^2 / (sum w)^2

    by linearisation (Särndal, Swensson and Wretman 1992, "Model Assisted Survey Sampling", 5.7).
    Dividing by the sum of weights and not by the number of answers keeps the mean between 0 and 1.
    """
    if outcomes.weights <= 0:
        return None
    mean = outcomes.total / outcomes.weights
    spread = outcomes.squares - 2 * mean * outcomes.products + mean * mean * outcomes.weight_squares
    radius = NORMAL_975 * math.sqrt(max(0.0, spread)) / outcomes.weights
    return Interval(mean, max(0.0, mean - radius), min(1.0, mean + radius))
