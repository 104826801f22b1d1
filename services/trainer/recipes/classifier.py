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
from services.trainer.recipes.fitting import Outcome, fit_encoder, replayed_rows
from services.trainer.recipes.frozen_features import (
    Anchors,
    Collator,
    FrozenStates,
    Targets,
    drift,
    weighted_mean,
)
from services.trainer.recipes.items import Item, read_training_items
from services.trainer.recipes.progress_callback import Progress, Report
from services.trainer.recipes.run import TrainingRun
from services.trainer.recipes.validation import validator
from services.trainer.recipes.warm_start import frozen_layers, parent_card


def train(run: TrainingRun, report: Report) -> Outcome:
    """Train and save a classifier.

    Raises:
        EmptyDataset: no item has a label of the agent.
        RunInvalid: the parent comes from another base model.
    """
    set_seed(run.seed)

    # data: items with a label that the agent does not have cannot be learnt, and are counted
    train_items, validation_items = read_training_items(run.dataset)
    before = parent_card(run)
    parent = Classifier.load(run.parent_model, before) if run.parent_model and before else None
    labels = _labels(run, parent, train_items)
    places = {label: place for place, label in enumerate(labels)}
    items = [item for item in train_items if item.target in places]
    if not items:
        raise EmptyDataset("No item has one of the agent's labels: there is nothing to learn from")

    # model: from the parent on, with fresh rows for labels that it does not know
    base = run.parent_model or resolve_base_model(run.base_model, run.cache_dir)
    encoder = TextEncoder.load(base, run.config.frozen_layers)
    classifier = Classifier(encoder, _card(run, labels, parent), _head(encoder, labels, parent))

    # method
    objective = LabelSoftmax(classifier, run.config.replay_anchor)
    ids = encoder.tokenize([item.input for item in items], run.config.max_length)
    states = FrozenStates(encoder, ids)
    anchors = Anchors(states, replayed_rows(run, items))
    collator = Collator(states, _targets(items, places), anchors)

    # callbacks, run, save
    progress = Progress(report, validator(classifier, validation_items))
    outcome = fit_encoder(run, objective, collator, items, progress)
    classifier.save(run.output_dir)
    outcome.metrics["data/unknown_targets"] = float(len(train_items) - len(items))
    return outcome


class LabelSoftmax(nn.Module):
    """Cross-entropy of the right label; a replayed text also pays for moving from the parent's."""

    def __init__(self, classifier: Classifier, replay_anchor: float) -> None:
        super().__init__()
        self.upper = classifier.encoder.upper
        self.head = classifier.head
        self._anchor = replay_anchor

    def forward(
        self,
        states_BTH: Tensor,
        mask_BT: Tensor,
        labels_B: Tensor,
        weights_B: Tensor,
        rejected_BR: Tensor,
        anchors_BH: Tensor,
    ) -> dict[str, Tensor]:
        """Loss in nats per unit of item weight."""
        pooled_BH = self.upper(states_BTH, mask_BT)
        losses_B = cross_entropy(self.head(pooled_BH), labels_B, reduction="none")
        losses_B += self._anchor * drift(normalize(pooled_BH, dim=-1), anchors_BH)
        return {"loss": weighted_mean(losses_B, weights_B)}


def _targets(items: Sequence[Item], places: dict[str, int]) -> Targets:
    return Targets(
        indices=[places[item.target] for item in items],
        weights=[item.weight for item in items],
        rejected=[[] for _ in items],
    )


def _labels(run: TrainingRun, parent: Classifier | None, items: Sequence[Item]) -> tuple[str, ...]:
    """The agent's labels, or those seen; the parent's come first, so that its rows stay theirs."""
    wanted = run.labels or tuple(sorted({item.target for item in items}))
    before = parent.card.labels if parent else ()
    return (*before, *(label for label in wanted if label not in before))


def _head(encoder: TextEncoder, labels: Sequence[str], parent: Classifier | None) -> nn.Linear:
    head = nn.Linear(encoder.hidden_size, len(labels))
    if parent:
        known = len(parent.card.labels)
        with torch.no_grad():
            head.weight[:known] = parent.head.weight
            head.bias[:known] = parent.head.bias
    return head


def _card(run: TrainingRun, labels: tuple[str, ...], parent: Classifier | None) -> ModelCard:
    return ModelCard(
        kind="classifier",
        base_model=run.base_model,
        max_length=run.config.max_length,
        frozen_layers=frozen_layers(run, parent.card if parent else None),
        labels=labels,
    )
