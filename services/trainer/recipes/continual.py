"""What a run that starts from an earlier model does against forgetting.

Shape suffixes: B texts of a batch, H hidden units.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from archon_contracts.metric_names import INTERPOLATION_FACTOR
from archon_contracts.values import RetentionStrategy
from archon_inference.encoder import pad_states
from services.trainer.items import REPLAY, TrainingItem
from services.trainer.recipes.frozen_features import FrozenFeatures, LengthGroups
from services.trainer.recipes.run import EncoderConfig, TrainingRun

FIRMER: Final = 4.0
"""Times that the distillation weight is raised by strategies after the standard one."""

INTERPOLATION_FACTORS: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Fractions of the way from the start to the end of training, the smallest first. Never 0: that is
the deployed version, which the gate cannot find better than itself."""

ScoreModel = Callable[[], float]
"""How good the model is as it stands, on held-out new items and on replayed ones together."""


class ContinualStrategy:
    """The three places of a run where a strategy acts; this one does nothing in any of them."""

    def before_fit(self, features: FrozenFeatures, items: Sequence[TrainingItem]) -> None:
        """The encoder still is the model that the run starts from; rows of both are the same."""

    def penalty(self, rows_B: Tensor, vectors_BH: Tensor) -> Tensor:
        """What each text of a batch adds to the loss [B]; `vectors_BH` are its unit vectors."""
        return vectors_BH.new_zeros(len(rows_B))

    def after_fit(self, score: ScoreModel) -> dict[str, float]:
        """The last step is done and the model is not saved yet; returns figures for the report."""
        return {}


class FeatureDistillation(ContinualStrategy):
    """Replayed texts pay for moving away from where the earlier model had them."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._targets: DistillationTargets | None = None

    def before_fit(self, features: FrozenFeatures, items: Sequence[TrainingItem]) -> None:
        """Copy the trainable layers as they are now: the targets are made from the copy."""
        replayed = [row for row, item in enumerate(items) if item.source == REPLAY]
        self._targets = DistillationTargets(features, replayed)

    def penalty(self, rows_B: Tensor, vectors_BH: Tensor) -> Tensor:
        """Weighted cosine distance to the target; 0 for a text that is not replayed."""
        assert self._targets is not None, "before_fit comes first"
        targets_BH = self._targets.compute(rows_B.tolist())
        return self._weight * feature_distillation_loss(vectors_BH, targets_BH)

    def after_fit(self, score: ScoreModel) -> dict[str, float]:
        """Free the copy and the targets; saving needs the memory."""
        self._targets = None
        return {}


class WeightInterpolation(FeatureDistillation):
    """Between the weights that the run started from and those it ended with, by validation.

    Along this line models often are better on old and new together than at either end. Source:
    Wortsman et al. 2022, Robust fine-tuning of zero-shot models (WiSE-FT), CVPR.
    """

    def before_fit(self, features: FrozenFeatures, items: Sequence[TrainingItem]) -> None:
        """Copy the weights that training will move."""
        super().before_fit(features, items)
        self._upper = features.encoder.upper
        self._start = {name: weight.clone() for name, weight in self._upper.state_dict().items()}

    def after_fit(self, score: ScoreModel) -> dict[str, float]:
        """Leave the weights at the best factor; of equal ones at the one that moved least."""
        super().after_fit(score)
        end = {name: weight.clone() for name, weight in self._upper.state_dict().items()}
        scores = {}
        for factor in INTERPOLATION_FACTORS:
            self._load(end, factor)
            scores[factor] = score()
        best = max(INTERPOLATION_FACTORS, key=lambda factor: scores[factor])
        self._load(end, best)
        return {INTERPOLATION_FACTOR: best}

    def _load(self, end: Mapping[str, Tensor], factor: float) -> None:
        # Buffers of whole numbers, such as position ids, are no weights and are equal at both ends.
        mixed = {
            name: torch.lerp(start, end[name], factor) if start.is_floating_point() else end[name]
            for name, start in self._start.items()
        }
        self._upper.load_state_dict(mixed)


class DistillationTargets:
    """Where a model stood before training, for the numbered texts that should not move: [H] each.

    They are made when they are first asked for, so that the first step does not wait for them.
    """

    def __init__(self, features: FrozenFeatures, rows: Iterable[int]) -> None:
        self._features = features
        # A copy without dropout: the targets are what the earlier model answered when it was used.
        self._upper = copy.deepcopy(features.encoder.upper).requires_grad_(False).train(False)
        self._groups = LengthGroups(rows, [len(row) for row in features.ids])
        self._cache: dict[int, Tensor] = {}

    @torch.no_grad()
    def compute(self, rows: Sequence[int]) -> Tensor:
        """Unit vectors [B, H]; zeros where a text may move."""
        for group in self._groups.groups_containing(row for row in rows if row not in self._cache):
            vectors_BH = self._upper(*pad_states(self._features.compute(group)))
            self._cache.update(zip(group, normalize(vectors_BH, dim=-1), strict=True))
        encoder = self._features.encoder
        no_target_H = torch.zeros(encoder.hidden_size, device=encoder.device)
        return torch.stack([self._cache.get(row, no_target_H) for row in rows])


def choose_strategy(run: TrainingRun[EncoderConfig]) -> ContinualStrategy:
    """What the run's command asks for; nothing for a run without an earlier model."""
    weight = run.config.feature_distillation_weight
    if run.warm_start_model is None:
        return ContinualStrategy()
    match run.retention:
        case RetentionStrategy.MORE_REPLAY:
            return FeatureDistillation(FIRMER * weight)
        case RetentionStrategy.INTERPOLATION:
            return WeightInterpolation(FIRMER * weight)
        case _:
            return FeatureDistillation(weight) if weight else ContinualStrategy()


def feature_distillation_loss(vectors_BH: Tensor, targets_BH: Tensor) -> Tensor:
    """How far unit vectors moved from their targets [B]: one minus the cosine, 0 without one."""
    has_target_B = targets_BH.square().sum(-1)
    return has_target_B - (vectors_BH * targets_BH).sum(-1)
