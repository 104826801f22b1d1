"""What the new policy would have earned on the held-out logs, by every estimator.

The policy is the one that is served: it always gives its best answer. The value that counts is that
of the estimator which the number of logs calls for; the others stand beside it.

Shape suffixes: N logged answers, A answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import one_hot

from archon_contracts import metric_names as names
from services.trainer.recipes.bandit.estimators import (
    Estimator,
    LoggedRewards,
    ValueEstimate,
    clipped,
    direct,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)
from services.trainer.recipes.bandit.policy import (
    HeadChange,
    Rewarded,
    Stated,
    expect_rewards,
    fit_reward_model,
)


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """The estimates of one policy; rewards are from -1 to 1."""

    by_estimator: dict[Estimator, ValueEstimate]
    chosen: Estimator
    logged: float
    """Mean of the held-out rewards: what the logging policy earned."""
    logs: int
    effective_size: float

    @property
    def value(self) -> ValueEstimate:
        """The one that counts."""
        return self.by_estimator[self.chosen]

    @property
    def metrics(self) -> dict[str, float]:
        """As published of a run; what is not a number is left out."""
        low, high = self.value.interval
        found = {
            names.POLICY_VALUE: self.value.value,
            names.POLICY_VALUE_LOW: low,
            names.POLICY_VALUE_HIGH: high,
            names.LOGGED_REWARD: self.logged,
            names.HELD_OUT_LOGS: float(self.logs),
            names.EFFECTIVE_LOGS: self.effective_size,
            **{
                f"{names.POLICY_VALUE}_{estimator}": estimate.value
                for estimator, estimate in self.by_estimator.items()
            },
        }
        return {name: value for name, value in found.items() if math.isfinite(value)}


def report_policy(
    change: HeadChange, learnt: Rewarded, held_out: Rewarded, stated: Stated, estimator: Estimator
) -> PolicyReport | None:
    """Estimates on the held-out logs; None where there are none.

    The model of the rewards is that of the items that were learnt from, so that it has not seen
    what it corrects.
    """
    if not len(held_out):
        return None
    greedy_NA = best_answers(change.scores(held_out.base_NA, held_out.white_NF))
    model = fit_reward_model(learnt, stated)
    expected_NA = expect_rewards(model, held_out).double()
    by_estimator = {Estimator.DIRECT: direct((greedy_NA * expected_NA).sum(1))}
    known_N = held_out.has_propensity_N
    logs = LoggedRewards(
        held_out.reward_N[known_N],
        held_out.propensity_N[known_N],
        _of_answer(greedy_NA, held_out.answer_N)[known_N],
    )
    if len(logs.reward_N):
        predicted_N = _of_answer(expected_NA, held_out.answer_N)[known_N]
        expected_N = (greedy_NA * expected_NA).sum(1)[known_N]
        by_estimator |= {
            Estimator.INVERSE_PROPENSITY: inverse_propensity(logs),
            Estimator.CLIPPED: clipped(logs),
            Estimator.SELF_NORMALISED: self_normalised(logs),
            Estimator.DOUBLY_ROBUST: doubly_robust(logs, expected_N, predicted_N),
        }
    return PolicyReport(
        by_estimator=by_estimator,
        chosen=estimator if estimator in by_estimator else Estimator.DIRECT,
        logged=float(held_out.reward_N.mean()),
        logs=len(held_out),
        effective_size=logs.effective_size,
    )


def best_answers(scores_NA: Tensor) -> Tensor:
    """The policy [N, A] that always gives the answer with the highest score."""
    return one_hot(scores_NA.argmax(1), scores_NA.shape[1]).double()


def _of_answer(values_NA: Tensor, answer_N: Tensor) -> Tensor:
    return values_NA.gather(1, answer_N[:, None])[:, 0]
