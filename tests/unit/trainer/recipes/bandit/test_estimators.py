"""Off-policy estimates against closed forms and against exact values of small worlds."""

import itertools
import math

import pytest
import torch

from services.trainer.recipes.bandit.estimators import (
    DOUBLY_ROBUST_LOGS,
    Estimator,
    LoggedRewards,
    choose_estimator,
    clipped,
    direct,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)

LOGGING = (0.5, 0.3, 0.2)
POLICY = (0.1, 0.2, 0.7)
REWARD = (-1.0, 0.25, 1.0)
TRUTH = sum(p * r for p, r in zip(POLICY, REWARD, strict=True))


def logs(reward: list[float], propensity: list[float], policy: list[float]) -> LoggedRewards:
    return LoggedRewards(
        *(torch.tensor(v, dtype=torch.float64) for v in (reward, propensity, policy))
    )


def of_answers(*answers: int) -> LoggedRewards:
    """The logs of these answers of the small world."""
    return logs(*([column[a] for a in answers] for column in (REWARD, LOGGING, POLICY)))


def test_by_hand() -> None:
    two = logs([1.0, -1.0], [0.5, 0.25], [0.25, 0.75])  # weights 1/2 and 3

    assert inverse_propensity(two).value == pytest.approx((0.5 - 3) / 2)
    assert clipped(two, limit=2.0).value == pytest.approx((0.5 - 2) / 2)
    assert self_normalised(two).value == pytest.approx((0.5 - 3) / 3.5)
    assert two.effective_size == pytest.approx(3.5**2 / (0.25 + 9))
    expected, predicted = torch.tensor([0.2, 0.4]), torch.tensor([0.5, -0.5])
    assert direct(expected).value == pytest.approx(0.3)
    assert doubly_robust(two, expected, predicted).value == pytest.approx(
        (0.2 + 0.5 * 0.5 + 0.4 + 3 * -0.5) / 2
    )


def expectation(value_of: object) -> float:
    """Mean of an estimate over all pairs of logged answers, by their probability."""
    return sum(
        LOGGING[a] * LOGGING[b] * value_of(of_answers(a, b), (a, b))  # type: ignore[operator]
        for a, b in itertools.product(range(3), repeat=2)
    )


def test_inverse_propensities_are_unbiased_and_clipping_is_not() -> None:
    assert expectation(lambda found, _: inverse_propensity(found).value) == pytest.approx(TRUTH)
    lost = LOGGING[2] * (POLICY[2] / LOGGING[2] - 2.0) * REWARD[2]
    assert expectation(lambda found, _: clipped(found, 2.0).value) == pytest.approx(TRUTH - lost)


@pytest.mark.parametrize("model", [(0.0, 0.0, 0.0), (1.0, -0.5, 0.3), REWARD])
def test_doubly_robust_is_unbiased_whatever_its_model(model: tuple[float, ...]) -> None:
    expected = sum(p * q for p, q in zip(POLICY, model, strict=True))

    def estimate(found: LoggedRewards, answers: tuple[int, ...]) -> float:
        predicted = torch.tensor([model[a] for a in answers])
        return doubly_robust(found, torch.full((2,), expected), predicted).value

    assert expectation(estimate) == pytest.approx(TRUTH, abs=1e-6)


def test_a_right_model_needs_no_right_propensities() -> None:
    wrong = logs([REWARD[0], REWARD[2]], [0.9, 0.9], [POLICY[0], POLICY[2]])
    predicted = torch.tensor([REWARD[0], REWARD[2]])

    assert doubly_robust(wrong, torch.full((2,), TRUTH), predicted).value == pytest.approx(TRUTH)


def test_self_normalised_moves_with_the_rewards_and_plain_does_not() -> None:
    low, high = of_answers(0, 1, 2, 2), of_answers(0, 1, 2, 2)
    high = LoggedRewards(high.reward_N + 5, high.propensity_N, high.policy_N)

    assert self_normalised(high).value - self_normalised(low).value == pytest.approx(5)
    assert inverse_propensity(high).value - inverse_propensity(low).value != pytest.approx(5)


def test_on_policy_all_are_the_mean_reward() -> None:
    same = logs([1.0, 0.0, -1.0, 1.0], [0.4] * 4, [0.4] * 4)

    for estimate in (inverse_propensity(same), clipped(same), self_normalised(same)):
        assert estimate.value == pytest.approx(0.25)
    assert same.effective_size == pytest.approx(4)
    low, high = inverse_propensity(same).interval
    deviation = math.sqrt(sum((r - 0.25) ** 2 for r in (1, 0, -1, 1)) / 3)
    assert high - low == pytest.approx(2 * 1.96 * deviation / 2, rel=1e-3)


def test_a_policy_that_gives_no_logged_answer_has_no_estimate() -> None:
    none = logs([1.0, 1.0], [0.5, 0.5], [0.0, 0.0])

    assert math.isnan(self_normalised(none).value)
    assert none.effective_size == 0.0


def test_the_number_of_logs_chooses() -> None:
    assert choose_estimator(0) is Estimator.DIRECT
    assert choose_estimator(DOUBLY_ROBUST_LOGS - 1) is Estimator.SELF_NORMALISED
    assert choose_estimator(DOUBLY_ROBUST_LOGS) is Estimator.DOUBLY_ROBUST
