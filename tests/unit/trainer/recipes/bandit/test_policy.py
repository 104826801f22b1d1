"""A policy learns from rewards, not from how often an answer was logged."""

import math

import pytest
import torch

from services.trainer.errors import NoLearningSignal, NonFiniteLoss
from services.trainer.recipes.bandit.estimators import Estimator
from services.trainer.recipes.bandit.policy import (
    Rewarded,
    Stated,
    Whitening,
    fit_reward_model,
    learn_policy,
)

KINDS, ANSWERS = 3, 3
BOTH = [Estimator.SELF_NORMALISED, Estimator.DOUBLY_ROBUST]


def world(count: int = 300, *, known: bool = True) -> Rewarded:
    """Inputs of three kinds, whose right answer is their own number; answer 0 is logged most."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.arange(count) % KINDS
    features = torch.nn.functional.one_hot(kind, KINDS).float()
    features += 0.1 * torch.randn(count, KINDS, generator=generator)
    propensity = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64)
    answer = torch.multinomial(propensity.expand(count, 3), 1, generator=generator)[:, 0]
    base = propensity.log().float().expand(count, 3)
    reward = (answer == kind).double() * 2 - 1
    named = propensity[answer] if known else torch.full((count,), math.nan, dtype=torch.float64)
    return Rewarded(Whitening.of(features)(features), base, answer, reward, named)


def nothing_stated(rewarded: Rewarded) -> Stated:
    empty = rewarded.rows(torch.zeros(0, dtype=torch.long))
    return Stated(empty.white_NF, empty.base_NA, empty.answer_N, torch.zeros(0))


def accuracy(rewarded: Rewarded, estimator: Estimator) -> float:
    change = learn_policy(rewarded, nothing_stated(rewarded), estimator)
    found = change.scores(rewarded.base_NA, rewarded.white_NF).argmax(1)
    return float((found == torch.arange(len(rewarded)) % KINDS).double().mean())


@pytest.mark.parametrize("estimator", BOTH)
def test_the_right_answers_are_learnt_from_rewards_alone(estimator: Estimator) -> None:
    assert accuracy(world(), estimator) > 0.95


def test_without_propensities_the_model_of_the_rewards_decides() -> None:
    assert accuracy(world(known=False), Estimator.DIRECT) > 0.9


@pytest.mark.parametrize("estimator", BOTH)
def test_equal_data_give_equal_weights(estimator: Estimator) -> None:
    rewarded = world(60)
    first, second = (learn_policy(rewarded, nothing_stated(rewarded), estimator) for _ in range(2))

    assert torch.equal(first.weight_FA, second.weight_FA)


def test_rewards_that_are_all_equal_are_no_signal() -> None:
    rewarded = world(30)
    equal = Rewarded(
        rewarded.white_NF,
        rewarded.base_NA,
        rewarded.answer_N,
        torch.full((30,), 0.5, dtype=torch.float64),
        rewarded.propensity_N,
    )

    with pytest.raises(NoLearningSignal, match=r"all 30 rewards are 0\.5"):
        learn_policy(equal, nothing_stated(equal), Estimator.SELF_NORMALISED)


def test_nothing_at_all_is_no_signal() -> None:
    nothing = world(30).rows(torch.zeros(0, dtype=torch.long))

    with pytest.raises(NoLearningSignal, match="no item has a reward"):
        learn_policy(nothing, nothing_stated(nothing), Estimator.DIRECT)


def test_answers_that_the_version_never_gives_are_no_signal_during_the_run() -> None:
    rewarded = world(30)
    impossible = rewarded.base_NA.clone()
    impossible[torch.arange(30), rewarded.answer_N] = -1e9
    never = Rewarded(
        rewarded.white_NF,
        impossible,
        rewarded.answer_N,
        rewarded.reward_N,
        rewarded.propensity_N,
    )

    with pytest.raises(NoLearningSignal, match="no gradient"):
        learn_policy(never, nothing_stated(never), Estimator.SELF_NORMALISED)


def test_a_reward_that_turns_into_no_number_ends_the_fit() -> None:
    rewarded = world(30)
    rewarded.reward_N[3] = math.nan

    with pytest.raises(NonFiniteLoss, match="no numbers"):
        learn_policy(rewarded, nothing_stated(rewarded), Estimator.SELF_NORMALISED)


def test_a_stated_answer_outweighs_what_was_logged() -> None:
    rewarded = world(30)
    stated = Stated(rewarded.white_NF, rewarded.base_NA, torch.arange(30) % KINDS, torch.ones(30))
    none = rewarded.rows(torch.zeros(0, dtype=torch.long))

    change = learn_policy(none, stated, Estimator.DIRECT)

    found = change.scores(stated.base_SA, stated.white_SF).argmax(1)
    assert torch.equal(found, stated.answer_S)


def test_a_whitened_change_is_the_same_change_of_the_features() -> None:
    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    whitening = Whitening.of(features)
    rewarded = Rewarded(
        whitening(features),
        torch.zeros(50, 3),
        torch.arange(50) % 3,
        (torch.arange(50) % 2).double() * 2 - 1,
        torch.full((50,), 1 / 3, dtype=torch.float64),
    )
    change = fit_reward_model(rewarded, nothing_stated(rewarded))

    plain = whitening.undo(change)

    torch.testing.assert_close(
        plain.scores(rewarded.base_NA, features),
        change.scores(rewarded.base_NA, rewarded.white_NF),
        rtol=1e-4,
        atol=1e-4,
    )
