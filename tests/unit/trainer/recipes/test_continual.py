from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from archon_inference.encoder import TextEncoder
from services.trainer.recipes.continual import (
    ContinualStrategy,
    DistillationTargets,
    FeatureDistillation,
    choose_strategy,
)
from services.trainer.recipes.frozen_features import FrozenFeatures
from services.trainer.recipes.items import TrainingItem
from services.trainer.recipes.recipe_table import read_run
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec

TEXTS = ["rain", "will it rain in oslo", "play a song"]


def _states(folder: Path) -> FrozenFeatures:
    encoder = TextEncoder.load(tiny_encoder(folder), 2)
    return FrozenFeatures(encoder, encoder.tokenize(TEXTS, 16))


def _items(sources: Sequence[str]) -> list[TrainingItem]:
    return [
        TrainingItem(id=str(row), input=text, target="t", source=source)
        for row, (text, source) in enumerate(zip(TEXTS, sources, strict=True))
    ]


def test_a_distillation_target_is_the_feature_before_training(tmp_path: Path) -> None:
    states = _states(tmp_path)
    distillation_targets = DistillationTargets(states, [2])
    before = normalize(states.encoder.pool_states(states.compute([2])), dim=-1)
    with torch.no_grad():
        for weight in states.encoder.upper.parameters():
            weight.add_(torch.randn_like(weight))

    target, no_target = distillation_targets.compute([2, 0])

    torch.testing.assert_close(target, before[0])
    assert no_target.count_nonzero() == 0


def test_only_a_replayed_text_that_moved_is_penalised(tmp_path: Path) -> None:
    states, strategy = _states(tmp_path), FeatureDistillation(weight=2.0)
    strategy.before_fit(states, _items(["feedback", "replay", "replay"]))
    vectors = normalize(states.encoder.pool_states(states.compute([0, 1, 2])), dim=-1)
    vectors[:2] = -vectors[:2]

    penalty = strategy.penalty(torch.arange(3), vectors)

    torch.testing.assert_close(penalty, torch.tensor([0.0, 4.0, 0.0]), atol=1e-5, rtol=0)


def test_a_strategy_that_does_nothing_adds_nothing() -> None:
    assert ContinualStrategy().penalty(torch.arange(2), torch.ones(2, 3)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("warm_start", "weight", "strategy"),
    [
        (None, 1.0, ContinualStrategy),
        ("/model", 0.0, ContinualStrategy),
        ("/model", 1.0, FeatureDistillation),
    ],
)
def test_features_are_distilled_only_from_an_earlier_model(
    tmp_path: Path, warm_start: str | None, weight: float, strategy: type[ContinualStrategy]
) -> None:
    spec = run_spec(tmp_path, tmp_path, feature_distillation_weight=weight)

    run = read_run(spec | {"warm_start_model": warm_start})

    assert type(choose_strategy(run)) is strategy
