import math

import pytest
import torch
from torch import Tensor

from archon_inference.encoder import UpperLayers
from services.trainer.recipes.continual import ContinualStrategy, feature_distillation_loss
from services.trainer.recipes.frozen_features import weighted_mean
from services.trainer.recipes.run import SelectorConfig
from services.trainer.recipes.selector import CatalogueSoftmax

NONE_REJECTED = torch.full((1, 1), -1)


class FixedVectors(UpperLayers):
    """Stands for an encoder: its output is its input's first token."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, states_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        return states_BTH[:, 0]


class FixedTarget(ContinualStrategy):
    """Feature distillation with one known target, or none."""

    def __init__(self, weight: float, target: list[float] | None) -> None:
        self._weight = weight
        self._target = torch.zeros(1, 3) if target is None else torch.tensor([target])

    def penalty(self, rows_B: Tensor, vectors_BH: Tensor) -> Tensor:
        return self._weight * feature_distillation_loss(vectors_BH, self._target)


def _loss(
    request: list[float],
    rejected: Tensor = NONE_REJECTED,
    *,
    margin: float = 0.2,
    distillation_target: list[float] | None = None,
) -> float:
    config = SelectorConfig(
        epochs=1, batch_size=1, learning_rate=1, max_length=4, temperature=1.0,
        rejected_margin=margin, feature_distillation_weight=2.0,
    )  # fmt: skip
    strategy = FixedTarget(config.feature_distillation_weight, distillation_target)
    objective = CatalogueSoftmax(FixedVectors(), strategy, torch.eye(3), config)
    states, weights = torch.tensor([[request]]), torch.ones(1)
    row = torch.tensor([0])
    result = objective(states, torch.ones(1, 1), torch.tensor([0]), weights, rejected, row)
    return float(result["loss"])


def test_a_request_at_equal_distance_from_all_tools_costs_the_log_of_their_number() -> None:
    assert _loss([1.0, 1.0, 1.0], NONE_REJECTED) == pytest.approx(math.log(3))


def test_a_request_on_its_tool_costs_less() -> None:
    assert _loss([9.0, 0.0, 0.0], NONE_REJECTED) < _loss([1.0, 1.0, 1.0], NONE_REJECTED)


def test_a_rejected_tool_must_end_up_further_away() -> None:
    request = [1.0, 1.0, 0.0]

    assert _loss(request, torch.tensor([[1]])) > _loss(request, NONE_REJECTED)
    assert _loss(request, torch.tensor([[1]]), margin=0) == _loss(request, NONE_REJECTED)


def test_feature_distillation_penalises_a_moved_replayed_request() -> None:
    request, there, elsewhere = [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]

    assert _loss(request, distillation_target=there) == pytest.approx(_loss(request))
    assert _loss(request, distillation_target=elsewhere) == pytest.approx(_loss(request) + 2.0)


def test_a_loss_is_counted_by_weight() -> None:
    mean = weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0]))

    assert float(mean) == pytest.approx(2.0)
