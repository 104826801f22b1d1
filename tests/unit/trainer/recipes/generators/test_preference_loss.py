"""Against the formulas of the papers in plain numbers."""

import math

import pytest
import torch
from torch import Tensor, tensor

from services.trainer.recipes.generators.preference_loss import (
    dpo_losses,
    kto_baseline,
    kto_losses,
    orpo_losses,
    simpo_losses,
)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _values(losses: Tensor) -> list[float]:
    return [float(loss) for loss in losses]


def test_dpo_is_the_logistic_loss_of_the_scaled_margin() -> None:
    expected = [-math.log(_sigmoid(0.5 * m)) for m in (-2.0, 0.0, 3.0)]

    assert _values(dpo_losses(tensor([-2.0, 0.0, 3.0]), 0.5)) == pytest.approx(expected)


def test_simpo_wants_a_margin_per_token() -> None:
    (loss,) = _values(simpo_losses(tensor([-0.5]), tensor([-1.5]), 2.0, 1.0))

    assert loss == pytest.approx(-math.log(_sigmoid(2.0 * 1.0 - 1.0)))


def test_orpo_learns_the_chosen_answer_and_raises_its_odds() -> None:
    (loss,) = _values(orpo_losses(tensor([-0.5]), tensor([-1.5]), 0.1))

    odds = [math.exp(x) / (1 - math.exp(x)) for x in (-0.5, -1.5)]
    assert loss == pytest.approx(0.5 - 0.1 * math.log(_sigmoid(math.log(odds[0] / odds[1]))))


def test_orpo_stays_finite_where_an_answer_is_certain() -> None:
    assert torch.isfinite(orpo_losses(tensor([0.0]), tensor([-30.0]), 0.1)).all()


def test_kto_raises_good_answers_over_the_baseline_and_lowers_bad_ones() -> None:
    rewards, good = tensor([2.0, 2.0]), tensor([True, False])

    losses = _values(kto_losses(rewards, tensor(0.5), good, 0.1))

    assert losses == pytest.approx([1 - _sigmoid(0.15), 1 - _sigmoid(-0.15)])


def test_the_baseline_is_never_below_zero_and_has_no_gradient() -> None:
    reward = tensor([-4.0, 1.0], requires_grad=True)

    assert kto_baseline(reward).item() == 0.0
    assert not kto_baseline(reward + 9).requires_grad
