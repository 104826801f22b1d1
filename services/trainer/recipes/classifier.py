"""Train a classifier: cross-entropy of one linear layer on the mean-pooled encoder.

Shape suffixes: B texts, T tokens, H hidden units, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import set_seed

from archon_inference.card import ModelCard
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder, UpperLayers
from services.trainer.items import TrainingItem, read_training_items
from services.trainer.recipes.continual import ContinualStrategy
from services.trainer.recipes.encoder_recipe import (
    EncoderObjective,
    EncoderTask,
    TextLimit,
    balanced_weights,
    measure_limit,
    select_learnable_items,
    train_encoder,
)
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.frozen_features import ItemTargets
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import ClassifierConfig, TrainingRun
from services.trainer.recipes.warm_start import find_start, frozen_layers, read_warm_start_card

CONVERSION_TEXTS: Final = 200
"""Training texts that the means in `_pooled_head` are of."""


def train(run: TrainingRun[ClassifierConfig], report: Report) -> TrainResult:
    """Train and save a classifier.

    Raises:
        EmptyDataset: no item has a label of the agent.
        RunInvalid: the warm-start model comes from another base model.
    """
    # The rows of new labels are sampled below, before the Trainer would set its own seed.
    set_seed(run.seed)
    train_items, validation_items = read_training_items(run.dataset)
    before = read_warm_start_card(run)
    warm_start = (
        Classifier.load(run.warm_start_model, before) if run.warm_start_model and before else None
    )
    labels = _labels(run, warm_start, train_items)
    places = {label: place for place, label in enumerate(labels)}
    items = select_learnable_items(train_items, validation_items, places)
    base = run.warm_start_model or find_start(run)
    encoder = TextEncoder.load(base, run.config.frozen_layers, device=run.device)
    texts = [item.input for item in items.train]
    limit = measure_limit(encoder, texts, run.config.max_length, before.max_length if before else 0)
    head = _head(encoder, labels, warm_start, texts).to(encoder.device)

    def build_objective(strategy: ContinualStrategy) -> LabelSoftmax:
        return LabelSoftmax(encoder.upper, strategy, head)

    task = EncoderTask(
        model=Classifier(encoder, _build_card(run, labels, warm_start, limit), head),
        items=items,
        limit=limit,
        targets=_build_targets(items.train, places, run.config.class_balance),
        build_objective=build_objective,
    )
    return train_encoder(run, report, task)


class LabelSoftmax(EncoderObjective):
    """Cross-entropy of the right label."""

    def __init__(self, upper: UpperLayers, strategy: ContinualStrategy, head: nn.Linear) -> None:
        super().__init__(upper, strategy)
        self.head = head

    def compute_losses(
        self, pooled_BH: Tensor, unit_BH: Tensor, labels_B: Tensor, rejected_BR: Tensor
    ) -> Tensor:
        """Nats [B]; a label has no rejected ones beside it, they all are."""
        return cross_entropy(self.head(pooled_BH), labels_B, reduction="none")


def _build_targets(
    items: Sequence[TrainingItem], places: dict[str, int], class_balance: float
) -> ItemTargets:
    return ItemTargets(
        indices=[places[item.target] for item in items],
        weights=balanced_weights(items, class_balance),
        rejected=[[] for _ in items],
    )


def _labels(
    run: TrainingRun[ClassifierConfig], warm_start: Classifier | None, items: Sequence[TrainingItem]
) -> tuple[str, ...]:
    """The agent's labels, or those seen; the warm-start model's come first, so that its rows stay
    theirs.
    """
    wanted = run.labels or tuple(sorted({item.target for item in items}))
    before = warm_start.card.labels if warm_start else ()
    return (*before, *(label for label in wanted if label not in before))


def _head(
    encoder: TextEncoder,
    labels: Sequence[str],
    warm_start: Classifier | None,
    texts: Sequence[str],
) -> nn.Linear:
    head = nn.Linear(encoder.hidden_size, len(labels))
    if warm_start:
        known = len(warm_start.card.labels)
        with torch.no_grad():
            # The labels learned before keep their rows; new ones start at random.
            before = _pooled_head(warm_start, texts[:CONVERSION_TEXTS])
            head.weight[:known], head.bias[:known] = before
    return head


def _pooled_head(before: Classifier, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Weight and bias of the earlier head for pooled features, which are what is trained here.

    Of a head over the features of two layers only what it reads of the last one can move; the part
    that reads the frozen layer becomes a constant of each label, at its mean over the texts.
    """
    if before.card.features == "pooled":
        return before.head.weight, before.head.bias
    encoder, hidden = before.encoder, before.encoder.hidden_size
    ids = encoder.tokenize(texts, before.card.max_length)
    states = encoder.compute_frozen_states(ids)
    lower_H = encoder.pool_states(states, before.card.features)[:, :hidden].mean(0)
    length = encoder.pool_states(states).norm(dim=-1).mean()
    of_lower_LH, of_last_LH = before.head.weight[:, :hidden], before.head.weight[:, hidden:]
    return of_last_LH / length, before.head.bias + of_lower_LH @ lower_H


def _build_card(
    run: TrainingRun[ClassifierConfig],
    labels: tuple[str, ...],
    warm_start: Classifier | None,
    limit: TextLimit,
) -> ModelCard:
    return ModelCard(
        kind="classifier",
        base_model=run.base_model,
        max_length=limit.max_length,
        frozen_layers=frozen_layers(run, warm_start.card if warm_start else None),
        labels=labels,
    )
