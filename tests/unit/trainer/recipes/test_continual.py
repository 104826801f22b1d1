from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from archon_contracts.metric_names import INTERPOLATION_FACTOR
from archon_inference.encoder import TextEncoder
from services.trainer.items import TrainingItem
from services.trainer.recipes.continual import (
    INTERPOLATION_FACTORS,
    ContinualStrategy,
    DistillationTargets,
    FeatureDistillation,
    WeightInterpolation,
    choose_strategy,
)
from services.trainer.recipes.frozen_features import FrozenFeatures
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


def _trained_interpolation(folder: Path) -> tuple[FrozenFeatures, WeightInterpolation, Tensor]:
    """A strategy whose run has moved every weight by one; the first weight as it was before."""
    states, strategy = _states(folder), WeightInterpolation(weight=1.0)
    first = next(states.encoder.upper.parameters())
    before = first.detach().clone()
    strategy.before_fit(states, _items(["feedback", "replay", "replay"]))
    with torch.no_grad():
        for weight in states.encoder.upper.parameters():
            weight.add_(1.0)
    return states, strategy, before


def test_weights_are_left_where_validation_is_best(tmp_path: Path) -> None:
    states, strategy, before = _trained_interpolation(tmp_path)
    first = next(states.encoder.upper.parameters()).detach()

    def score() -> float:
        return -abs(float((first - before).mean()) - 0.4)

    figures = strategy.after_fit(score)

    assert figures == {INTERPOLATION_FACTOR: 0.4}
    torch.testing.assert_close(first, before + 0.4)


def test_of_equal_interpolations_the_one_that_moved_least_is_kept(tmp_path: Path) -> None:
    states, strategy, before = _trained_interpolation(tmp_path)

    strategy.after_fit(lambda: 0.5)

    first = next(states.encoder.upper.parameters())
    torch.testing.assert_close(first.detach(), before + min(INTERPOLATION_FACTORS))


@pytest.mark.parametrize(
    ("retention", "strategy", "penalty"),
    [
        ("standard", FeatureDistillation, 2.0),
        ("more_replay", FeatureDistillation, 8.0),
        ("interpolation", WeightInterpolation, 8.0),
    ],
)
def test_stronger_strategies_hold_replayed_texts_more_firmly(
    tmp_path: Path, retention: str, strategy: type[ContinualStrategy], penalty: float
) -> None:
    spec = run_spec(tmp_path, tmp_path) | {"warm_start_model": "/model", "retention": retention}
    chosen, states = choose_strategy(read_run(spec)), _states(tmp_path)
    chosen.before_fit(states, _items(["replay", "feedback", "feedback"]))
    vectors = -normalize(states.encoder.pool_states(states.compute([0])), dim=-1)

    assert type(chosen) is strategy
    assert float(chosen.penalty(torch.tensor([0]), vectors)) == pytest.approx(penalty, abs=1e-4)


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
