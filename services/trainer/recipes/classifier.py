"""Train a classifier: cross-entropy of one linear layer on the mean-pooled encoder.

Shape suffixes: B texts, T tokens, H hidden units, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import set_seed

from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from services.trainer.recipes.errors import EmptyDataset
from services.trainer.recipes.fitting import TrainResult, fit_encoder, select_replayed_rows
from services.trainer.recipes.frozen_features import (
    Collator,
    DistillationTargets,
    FrozenFeatures,
    ItemTargets,
    feature_distillation_loss,
    weighted_mean,
)
from services.trainer.recipes.items import TrainingItem, read_training_items
from services.trainer.recipes.progress_callback import ProgressCallback, Report
from services.trainer.recipes.run import ClassifierConfig, TrainingRun
from services.trainer.recipes.validation import build_validator
from services.trainer.recipes.warm_start import frozen_layers, read_warm_start_card


def train(run: TrainingRun[ClassifierConfig], report: Report) -> TrainResult:
    """Train and save a classifier.

    Raises:
        EmptyDataset: no item has a label of the agent.
        RunInvalid: the warm-start model comes from another base model.
    """
    set_seed(run.seed)

    # data: items with a label that the agent does not have cannot be learnt, and are counted
    train_items, validation_items = read_training_items(run.dataset)
    before = read_warm_start_card(run)
    warm_start = (
        Classifier.load(run.warm_start_model, before) if run.warm_start_model and before else None
    )
    labels = _labels(run, warm_start, train_items)
    places = {label: place for place, label in enumerate(labels)}
    items = [item for item in train_items if item.target in places]
    if not items:
        raise EmptyDataset("No item has one of the agent's labels: there is nothing to learn from")

    # model: from the warm-start model on, with fresh rows for labels that it does not know
    base = run.warm_start_model or resolve_base_model(run.base_model, run.cache_dir)
    encoder = TextEncoder.load(base, run.config.frozen_layers)
    classifier = Classifier(
        encoder, _build_card(run, labels, warm_start), _head(encoder, labels, warm_start)
    )

    # method
    objective = LabelSoftmax(classifier, run.config.feature_distillation_weight)
    ids = encoder.tokenize([item.input for item in items], run.config.max_length)
    states = FrozenFeatures(encoder, ids)
    distillation_targets = DistillationTargets(states, select_replayed_rows(run, items))
    collator = Collator(states, _build_targets(items, places), distillation_targets)

    # callbacks, run, save
    progress = ProgressCallback(report, build_validator(classifier, validation_items))
    result = fit_encoder(run, objective, collator, items, progress)
    classifier.save(run.output_dir)
    result.metrics["data/unknown_targets"] = float(len(train_items) - len(items))
    return result


class LabelSoftmax(nn.Module):
    """Cross-entropy of the right label; a replayed text also pays for moving from the warm-start
    model's.
    """

    def __init__(self, classifier: Classifier, feature_distillation_weight: float) -> None:
        super().__init__()
        self.upper = classifier.encoder.upper
        self.head = classifier.head
        self._distillation_weight = feature_distillation_weight

    def forward(
        self,
        states_BTH: Tensor,
        mask_BT: Tensor,
        labels_B: Tensor,
        weights_B: Tensor,
        rejected_BR: Tensor,
        distillation_BH: Tensor,
    ) -> dict[str, Tensor]:
        """Loss in nats per unit of item weight."""
        pooled_BH = self.upper(states_BTH, mask_BT)
        losses_B = cross_entropy(self.head(pooled_BH), labels_B, reduction="none")
        losses_B += self._distillation_weight * feature_distillation_loss(
            normalize(pooled_BH, dim=-1), distillation_BH
        )
        return {"loss": weighted_mean(losses_B, weights_B)}


def _build_targets(items: Sequence[TrainingItem], places: dict[str, int]) -> ItemTargets:
    return ItemTargets(
        indices=[places[item.target] for item in items],
        weights=[item.weight for item in items],
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


def _head(encoder: TextEncoder, labels: Sequence[str], warm_start: Classifier | None) -> nn.Linear:
    head = nn.Linear(encoder.hidden_size, len(labels))
    if warm_start:
        known = len(warm_start.card.labels)
        with torch.no_grad():
            head.weight[:known] = warm_start.head.weight
            head.bias[:known] = warm_start.head.bias
    return head


def _build_card(
    run: TrainingRun[ClassifierConfig], labels: tuple[str, ...], warm_start: Classifier | None
) -> ModelCard:
    return ModelCard(
        kind="classifier",
        base_model=run.base_model,
        max_length=run.config.max_length,
        frozen_layers=frozen_layers(run, warm_start.card if warm_start else None),
        labels=labels,
    )
