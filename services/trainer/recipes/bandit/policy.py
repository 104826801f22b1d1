"""A policy over answers that is linear in frozen features, and a model of its rewards.

Both start from the scores of a version, so that without data they are that version, and both learn
a change of its head on whitened features by full-batch L-BFGS: equal data give equal weights.

The self-normalised gradient is taken with a constant baseline, the mean logged reward, and the mean
weight is held at 1, its expectation. The ratio itself is highest where a policy avoids all that was
logged (A. Swaminathan and T. Joachims, NIPS 2015, on propensity overfitting); the constraint is
that of T. Joachims, A. Swaminathan and M. de Rijke, "Deep Learning with Logged Bandit Feedback",
ICLR 2018.

Shape suffixes: N items, S stated items, F features, A answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from services.trainer.closed_form.statistics import TINY, ClassStatistics, shrunk_covariance
from services.trainer.errors import NoLearningSignal, NonFiniteLoss
from services.trainer.recipes.bandit.estimators import Estimator

STEPS: Final = 40
PENALTY_ITEMS: Final = 0.2
"""Penalty of half the squared change, per item: it weighs less, the more is known. Like the
constants below chosen on validation rows of CLINC150, seeds 40 and 41 and training rows that no
benchmark reports."""
REWARD_MODEL_PENALTY_ITEMS: Final = 0.1
LENGTH: Final = 4.0
"""Mean length of the whitened features, which gives the penalty one meaning at every size."""
WEIGHT_CONSTRAINT: Final = 1.0
BIAS_PENALTY: Final = 16.0
"""Times the penalty of a weight: a bias moves an answer for all inputs, and few logs would."""
CROSS_FIT_PARTS: Final = 2
ALMOST_ONE: Final = -1e-6
"""Largest log-probability in the likelihood of a wrong answer, whose logarithm ends at 1."""


@dataclass(frozen=True, slots=True)
class Whitening:
    """Features [N, F] less their mean, without correlations and of one length in the mean."""

    mean_F: Tensor
    unwhiten_FF: Tensor
    """Lower Cholesky factor of the shrunk covariance."""
    scale: float

    @classmethod
    def of(cls, features_NF: Tensor) -> Whitening:
        """Of the features of the items that are learnt from."""
        count = len(features_NF)
        statistics = ClassStatistics.of(features_NF, ["all"] * count, [1.0] * count)
        lower_FF = torch.linalg.cholesky(shrunk_covariance(statistics))
        plain = cls(features_NF.double().mean(0), lower_FF, 1.0)
        length = float(plain(features_NF).norm(dim=1).mean())
        return cls(plain.mean_F, lower_FF, LENGTH / max(length, TINY))

    def __call__(self, features_NF: Tensor) -> Tensor:
        """The features, white."""
        centred_FN = (features_NF.double() - self.mean_F).T
        white_FN = torch.linalg.solve_triangular(self.unwhiten_FF, centred_FN, upper=False)
        white_NF: Tensor = (white_FN.T * self.scale).float()
        return white_NF

    def undo(self, change: HeadChange) -> HeadChange:
        """The same change of a head that reads the features themselves."""
        weight_FA = self.scale * torch.linalg.solve_triangular(
            self.unwhiten_FF.T, change.weight_FA.double(), upper=True
        )
        bias_A = change.bias_A.double() - self.mean_F @ weight_FA
        return HeadChange(weight_FA.float(), bias_A.float())


@dataclass(frozen=True, slots=True)
class HeadChange:
    """What is added to the scores of the version before."""

    weight_FA: Tensor
    bias_A: Tensor

    def scores(self, base_NA: Tensor, white_NF: Tensor) -> Tensor:
        """The scores [N, A] after the change."""
        return base_NA + white_NF @ self.weight_FA + self.bias_A


@dataclass(frozen=True, slots=True)
class Rewarded:
    """Items whose answer was rewarded: white features, scores before, answer and reward."""

    white_NF: Tensor
    base_NA: Tensor
    answer_N: Tensor
    reward_N: Tensor
    propensity_N: Tensor
    """Not a number where it is not known."""

    def __len__(self) -> int:
        return len(self.answer_N)

    def rows(self, chosen: Tensor) -> Rewarded:
        """Those of the places or marks `chosen`."""
        return Rewarded(
            self.white_NF[chosen],
            self.base_NA[chosen],
            self.answer_N[chosen],
            self.reward_N[chosen],
            self.propensity_N[chosen],
        )

    @property
    def has_propensity_N(self) -> Tensor:
        """Marks of those whose propensity is known."""
        return ~self.propensity_N.isnan()


@dataclass(frozen=True, slots=True)
class Stated:
    """Items whose right answer somebody stated: the reward of every answer is known."""

    white_SF: Tensor
    base_SA: Tensor
    answer_S: Tensor
    weight_S: Tensor

    def __len__(self) -> int:
        return len(self.answer_S)


Watch = Callable[[int, float], None]
"""Gets the number of each evaluation of an objective, and its value."""


def _ignore(_step: int, _value: float) -> None:
    return None


def fit_reward_model(rewarded: Rewarded, stated: Stated) -> HeadChange:
    """A model of which answer earns the reward: one of them does, with the softmax's probability.

    A reward from -1 to 1 counts as that proportion of right answers, (1 + reward) / 2; its
    likelihood is that of a Bernoulli variable with the answer's probability. It needs no
    propensity, as it is conditional on input and answer.
    """
    right_N = ((1 + rewarded.reward_N) / 2).float()

    def loss(change: HeadChange) -> Tensor:
        total = torch.zeros(())
        if len(rewarded):
            scores_NA = change.scores(rewarded.base_NA, rewarded.white_NF)
            yes_N = _of_answer(scores_NA.log_softmax(1), rewarded.answer_N)
            no_N = torch.log(-torch.expm1(yes_N.clamp(max=ALMOST_ONE)))
            total = total - (right_N * yes_N + (1 - right_N) * no_N).sum()
        return (total + _stated_loss(change, stated)) / (len(rewarded) + len(stated))

    penalty = REWARD_MODEL_PENALTY_ITEMS / (len(rewarded) + len(stated))
    return minimise_change(
        loss, rewarded.white_NF.shape[1], rewarded.base_NA.shape[1], penalty, _ignore
    )


def expect_rewards(change: HeadChange, rewarded: Rewarded) -> Tensor:
    """The reward [N, A] that a model of the rewards expects of each answer, from -1 to 1."""
    with torch.no_grad():
        scores_NA = change.scores(rewarded.base_NA, rewarded.white_NF)
        return 2 * scores_NA.softmax(1) - 1


def cross_fit_rewards(rewarded: Rewarded, stated: Stated) -> Tensor:
    """The same, of models that were not fitted to the item itself.

    Fitted to it, a model predicts its reward, and the correction of a doubly robust estimate is
    nothing. With too few items for parts one model serves all.
    """
    if len(rewarded) < 2 * CROSS_FIT_PARTS:
        return expect_rewards(fit_reward_model(rewarded, stated), rewarded)
    part_N = torch.arange(len(rewarded)) % CROSS_FIT_PARTS
    expected_NA = torch.empty_like(rewarded.base_NA)
    for part in range(CROSS_FIT_PARTS):
        model = fit_reward_model(rewarded.rows(part_N != part), stated)
        expected_NA[part_N == part] = expect_rewards(model, rewarded.rows(part_N == part))
    return expected_NA


def learn_policy(
    rewarded: Rewarded, stated: Stated, estimator: Estimator, watch: Watch = _ignore
) -> HeadChange:
    """The change of the head whose policy has the highest estimated value.

    Items without a propensity count by the model of the rewards alone. Of stated items the
    probability of the right answer is raised, as in supervised training.

    Raises:
        NoLearningSignal: no answer's reward differs from that of another, or no gradient is left.
        NonFiniteLoss: the value is not a number.
    """
    check_signal(rewarded, stated)
    expected_NA: Tensor | None = None
    known_N = rewarded.has_propensity_N
    if len(rewarded) and (estimator is not Estimator.SELF_NORMALISED or not bool(known_N.all())):
        expected_NA = cross_fit_rewards(rewarded, stated)
    weighed = rewarded.rows(known_N)
    baseline = float(weighed.reward_N.mean()) if len(weighed) else 0.0

    def loss(change: HeadChange) -> Tensor:
        total = _stated_loss(change, stated)
        if len(rewarded):
            scores_NA = change.scores(rewarded.base_NA, rewarded.white_NF)
            log_policy_NA = scores_NA.log_softmax(1)
            value_N = _values(log_policy_NA, rewarded, expected_NA, estimator, baseline)
            total = total - value_N.sum()
            if estimator is Estimator.SELF_NORMALISED and len(weighed):
                weight_N = _weights(log_policy_NA[known_N], weighed)
                total = total + len(weighed) * WEIGHT_CONSTRAINT * (weight_N.mean() - 1).square()
        return total / (len(rewarded) + len(stated))

    penalty = PENALTY_ITEMS / (len(rewarded) + len(stated))
    features, answers = rewarded.white_NF.shape[1], rewarded.base_NA.shape[1]
    change = minimise_change(loss, features, answers, penalty, watch)
    if not bool(change.weight_FA.any()):
        raise NoLearningSignal(
            "no learning signal: the rewards give no gradient; the logged answers may be ones "
            "that the deployed version never gives, or cannot give"
        )
    return change


def check_signal(rewarded: Rewarded, stated: Stated) -> None:
    """Refuse rewards that say nothing.

    Raises:
        NoLearningSignal: there is none, or all are equal and nobody stated a right answer.
    """
    if len(stated):
        return
    if not len(rewarded):
        raise NoLearningSignal(
            "no learning signal: no item has a reward, a rating or a stated answer; "
            "send feedback with one of them"
        )
    if float(rewarded.reward_N.max() - rewarded.reward_N.min()) == 0.0:
        raise NoLearningSignal(
            f"no learning signal: all {len(rewarded)} rewards are "
            f"{float(rewarded.reward_N[0]):g}; send answers that earned less and more"
        )


def _values(
    log_policy_NA: Tensor,
    rewarded: Rewarded,
    expected_NA: Tensor | None,
    estimator: Estimator,
    baseline: float,
) -> Tensor:
    """What each item adds to the estimated value [N]."""
    known_N = rewarded.has_propensity_N
    value_N = torch.zeros(len(rewarded))
    if expected_NA is not None:
        value_N = (log_policy_NA.exp() * expected_NA).sum(1)
    weighed = rewarded.rows(known_N)
    if not len(weighed):
        return value_N
    weight_N = _weights(log_policy_NA[known_N], weighed)
    if estimator is Estimator.SELF_NORMALISED or expected_NA is None:
        of_weighed_N = weight_N * (weighed.reward_N.float() - baseline)
    else:
        predicted_N = _of_answer(expected_NA[known_N], weighed.answer_N)
        of_weighed_N = value_N[known_N] + weight_N * (weighed.reward_N.float() - predicted_N)
    return value_N.masked_scatter(known_N, of_weighed_N)


def _weights(log_policy_NA: Tensor, weighed: Rewarded) -> Tensor:
    return _of_answer(log_policy_NA, weighed.answer_N).exp() / weighed.propensity_N.float()


def _of_answer(values_NA: Tensor, answer_N: Tensor) -> Tensor:
    return values_NA.gather(1, answer_N[:, None])[:, 0]


def _stated_loss(change: HeadChange, stated: Stated) -> Tensor:
    if not len(stated):
        return torch.zeros(())
    log_policy_SA = change.scores(stated.base_SA, stated.white_SF).log_softmax(1)
    return -(stated.weight_S * _of_answer(log_policy_SA, stated.answer_S)).sum()


def minimise_change(
    loss: Callable[[HeadChange], Tensor], features: int, answers: int, penalty: float, watch: Watch
) -> HeadChange:
    """The change that minimises a loss and the penalty of its squares, after a fixed number of
    steps.

    Raises:
        NonFiniteLoss: the loss is not a number.
    """
    weight_FA = torch.zeros(features, answers, requires_grad=True)
    bias_A = torch.zeros(answers, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_FA, bias_A],
        max_iter=STEPS,
        max_eval=2 * STEPS,
        history_size=20,
        line_search_fn="strong_wolfe",
        # The number of steps alone ends the fit: equal data then give equal heads.
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )
    evaluated = 0

    def evaluate() -> Tensor:
        nonlocal evaluated
        optimizer.zero_grad()
        plain = loss(HeadChange(weight_FA, bias_A))
        if not bool(torch.isfinite(plain)):
            raise NonFiniteLoss(
                f"the value is {float(plain.detach())} after {evaluated} evaluations: look for "
                "propensities near 0 and for rewards that are no numbers"
            )
        total = plain + penalty / 2 * (
            weight_FA.square().sum() + BIAS_PENALTY * bias_A.square().sum()
        )
        total.backward()  # type: ignore[no-untyped-call]
        evaluated += 1
        watch(evaluated, float(plain.detach()))
        return total

    with torch.enable_grad():
        optimizer.step(evaluate)  # type: ignore[no-untyped-call]
    return HeadChange(weight_FA.detach(), bias_A.detach())
