"""What a run that starts from an earlier model does against forgetting.

Shape suffixes: B texts of a batch, H hidden units.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from archon_inference.encoder import pad_states
from services.trainer.recipes.frozen_features import FrozenFeatures, LengthGroups
from services.trainer.recipes.items import REPLAY, TrainingItem
from services.trainer.recipes.run import EncoderConfig, TrainingRun


class ContinualStrategy:
    """The three places of a run where a strategy acts; this one does nothing in any of them."""

    def before_fit(self, features: FrozenFeatures, items: Sequence[TrainingItem]) -> None:
        """The encoder still is the model that the run starts from; rows of both are the same."""

    def penalty(self, rows_B: Tensor, vectors_BH: Tensor) -> Tensor:
        """What each text of a batch adds to the loss [B]; `vectors_BH` are its unit vectors."""
        return vectors_BH.new_zeros(len(rows_B))

    def after_fit(self) -> None:
        """The last step is done and the model is not saved yet."""


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

    def after_fit(self) -> None:
        """Free the copy and the targets; saving needs the memory."""
        self._targets = None


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
    """Feature distillation for a run with an earlier model, nothing for a first training."""
    weight = run.config.feature_distillation_weight
    if run.warm_start_model is None or weight == 0:
        return ContinualStrategy()
    return FeatureDistillation(weight)


def feature_distillation_loss(vectors_BH: Tensor, targets_BH: Tensor) -> Tensor:
    """How far unit vectors moved from their targets [B]: one minus the cosine, 0 without one."""
    has_target_B = targets_BH.square().sum(-1)
    return has_target_B - (vectors_BH * targets_BH).sum(-1)
