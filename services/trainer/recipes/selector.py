"""Train a selector: pull a request towards its tool, away from all other tools of the catalogue.

The tools' vectors stay the base model's (see `archon_inference.selector`), so that every
tool is a negative of every request, the ones wrongly chosen in production among them.

Shape suffixes: B requests, T tokens, H hidden units, C tools, R rejected tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard
from archon_inference.catalogue import CATALOGUE_FILE, Tool, read_catalogue
from archon_inference.encoder import TextEncoder, UpperLayers
from archon_inference.selector import EmbeddedCatalogue, Selector, embed_tools
from services.trainer.recipes.errors import EmptyDataset, RunInvalid
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
from services.trainer.recipes.run import SelectorConfig, TrainingRun
from services.trainer.recipes.validation import build_validator
from services.trainer.recipes.warm_start import frozen_layers, read_warm_start_card


def train(run: TrainingRun[SelectorConfig], report: Report) -> TrainResult:
    """Train and save a selector.

    Raises:
        EmptyDataset: no item asks for a tool of the catalogue.
        RunInvalid: there is no catalogue, or the warm-start model comes from another base model.
    """
    # data: items whose tool has left the catalogue cannot be learnt, and are counted
    card = _build_card(run)
    base = resolve_base_model(run.base_model, run.cache_dir)
    catalogue = _embed_catalogue(run, base)
    places = {tool.name: place for place, tool in enumerate(catalogue.tools)}
    train_items, validation_items = read_training_items(run.dataset)
    items = [item for item in train_items if item.target in places]
    if not items:
        raise EmptyDataset("No item's target is in the catalogue: there is nothing to learn from")

    # model: from the warm-start model on; its frozen layers are still the base model's
    encoder = TextEncoder.load(run.warm_start_model or base, run.config.frozen_layers)
    selector = Selector(encoder, card, catalogue)

    # method: softmax over the whole catalogue; replayed requests should stay where they are
    objective = CatalogueSoftmax(encoder.upper, catalogue.vectors_CH, run.config)
    ids = encoder.tokenize([item.input for item in items], card.max_length)
    states = FrozenFeatures(encoder, ids)
    distillation_targets = DistillationTargets(states, select_replayed_rows(run, items))
    collator = Collator(states, _build_targets(items, places), distillation_targets)

    # callbacks, run, save
    progress = ProgressCallback(report, build_validator(selector, validation_items))
    result = fit_encoder(run, objective, collator, items, progress)
    selector.save(run.output_dir)
    result.metrics["data/unknown_targets"] = float(len(train_items) - len(items))
    return result


class CatalogueSoftmax(nn.Module):
    """Cross-entropy of the right tool among all tools, by cosine over temperature.

    A replayed request also pays for moving away from where the warm-start model had it, over the
    same temperature.
    """

    catalogue_CH: Tensor

    def __init__(self, upper: UpperLayers, catalogue_CH: Tensor, config: SelectorConfig) -> None:
        super().__init__()
        self.upper = upper
        self.register_buffer("catalogue_CH", catalogue_CH, persistent=False)
        self._config = config

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
        config = self._config
        requests_BH = normalize(self.upper(states_BTH, mask_BT), dim=-1)
        cosines_BC = requests_BH @ self.catalogue_CH.T
        cosines_BC = cosines_BC + config.rejected_margin * _mask_rejected(rejected_BR, cosines_BC)
        losses_B = cross_entropy(cosines_BC / config.temperature, labels_B, reduction="none")
        losses_B += (
            config.feature_distillation_weight
            * feature_distillation_loss(requests_BH, distillation_BH)
            / config.temperature
        )
        return {"loss": weighted_mean(losses_B, weights_B)}


def _mask_rejected(rejected_BR: Tensor, like_BC: Tensor) -> Tensor:
    """One where a tool was rejected, else zero; a row's -1 are padding."""
    marks = torch.zeros(len(like_BC), like_BC.shape[1] + 1, device=like_BC.device)
    # Padding lands in one column too many, which is then cut off.
    columns_BR = torch.where(rejected_BR < 0, like_BC.shape[1], rejected_BR)
    return marks.scatter(1, columns_BR, 1.0)[:, :-1]


def _build_targets(items: Sequence[TrainingItem], places: dict[str, int]) -> ItemTargets:
    return ItemTargets(
        indices=[places[item.target] for item in items],
        weights=[item.weight for item in items],
        rejected=[
            [places[name] for name in item.rejected if name in places and name != item.target]
            for item in items
        ],
    )


def _build_card(run: TrainingRun[SelectorConfig]) -> ModelCard:
    return ModelCard(
        kind="selector",
        base_model=run.base_model,
        max_length=run.config.max_length,
        frozen_layers=frozen_layers(run, read_warm_start_card(run)),
        temperature=run.config.temperature,
        catalogue=CATALOGUE_FILE,
        catalogue_max_length=run.config.catalogue_max_length,
    )


def _embed_catalogue(run: TrainingRun[SelectorConfig], base: Path) -> EmbeddedCatalogue:
    """The run's tools with their vectors: the warm-start model's where it has the same tool."""
    known: dict[Tool, Tensor] = {}
    if run.warm_start_model:
        warm_start = EmbeddedCatalogue.load(run.warm_start_model)
        known = dict(zip(warm_start.tools, warm_start.vectors_CH, strict=True))
    if run.catalogue is None and not known:
        raise RunInvalid(
            "A selector needs a catalogue: give one, or a warm-start model that has it"
        )
    tools = tuple(read_catalogue(run.catalogue)) if run.catalogue else tuple(known)
    new = [tool for tool in tools if tool not in known]
    if new:
        encoder = TextEncoder.load(base, run.config.frozen_layers)
        vectors = embed_tools(encoder, new, run.config.catalogue_max_length)
        known.update(zip(new, vectors, strict=True))
    return EmbeddedCatalogue(tools, torch.stack([known[tool] for tool in tools]))
