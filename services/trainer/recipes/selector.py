"""Train a selector: pull a request towards its tool, away from all other tools of the catalogue.

The tools' vectors stay the base model's (see `archon_inference.selector`), so that every
tool is a negative of every request, the ones wrongly chosen in production among them.

Shape suffixes: B requests, T tokens, H hidden units, C tools, R rejected tools.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard
from archon_inference.catalogue import CATALOGUE_FILE, Tool, read_catalogue
from archon_inference.encoder import TextEncoder, UpperLayers
from archon_inference.selector import EmbeddedCatalogue, Selector
from services.trainer.closed_form.tool_vectors import embed_catalogue
from services.trainer.errors import RunInvalid
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
from services.trainer.recipes.run import EncoderConfig, SelectorConfig, TrainingRun
from services.trainer.recipes.warm_start import find_start, frozen_layers, read_warm_start_card


def train(run: TrainingRun[SelectorConfig], report: Report) -> TrainResult:
    """Train and save a selector.

    Raises:
        EmptyDataset: no item asks for a tool of the catalogue.
        RunInvalid: there is no catalogue, or the warm-start model comes from another base model.
    """
    before = read_warm_start_card(run)  # raises when it does not fit
    base = find_start(run)
    catalogue = embed_run_catalogue(run)
    places = {tool.name: place for place, tool in enumerate(catalogue.tools)}
    items = select_learnable_items(*read_training_items(run.dataset), places)
    # From the warm-start model on; its frozen layers are still the base model's.
    encoder = TextEncoder.load(
        run.warm_start_model or base, run.config.frozen_layers, device=run.device
    )
    texts = [item.input for item in items.train]
    limit = measure_limit(encoder, texts, run.config.max_length, before.max_length if before else 0)

    def build_objective(strategy: ContinualStrategy) -> CatalogueSoftmax:
        return CatalogueSoftmax(encoder.upper, strategy, catalogue.vectors_CH, run.config)

    task = EncoderTask(
        model=Selector(encoder, _build_card(run, before, limit), catalogue),
        items=items,
        limit=limit,
        targets=_build_targets(items.train, places, run.config.class_balance),
        build_objective=build_objective,
    )
    return train_encoder(run, report, task)


class CatalogueSoftmax(EncoderObjective):
    """Cross-entropy of the right tool among all tools, by cosine over temperature."""

    catalogue_CH: Tensor

    def __init__(
        self,
        upper: UpperLayers,
        strategy: ContinualStrategy,
        catalogue_CH: Tensor,
        config: SelectorConfig,
    ) -> None:
        super().__init__(upper, strategy)
        # Not persistent: the tools' vectors are not trained, and a checkpoint need not hold them.
        self.register_buffer("catalogue_CH", catalogue_CH, persistent=False)
        self.temperature = config.temperature
        self._rejected_margin = config.rejected_margin

    def compute_losses(
        self, pooled_BH: Tensor, unit_BH: Tensor, labels_B: Tensor, rejected_BR: Tensor
    ) -> Tensor:
        """Nats [B]; a rejected tool counts as nearer than it is, by the margin."""
        cosines_BC = unit_BH @ self.catalogue_CH.T
        cosines_BC = cosines_BC + self._rejected_margin * _mask_rejected(rejected_BR, cosines_BC)
        return cross_entropy(cosines_BC / self.temperature, labels_B, reduction="none")


def _mask_rejected(rejected_BR: Tensor, like_BC: Tensor) -> Tensor:
    """One where a tool was rejected, else zero; a row's -1 are padding."""
    marks = torch.zeros(len(like_BC), like_BC.shape[1] + 1, device=like_BC.device)
    # Padding lands in one column too many, which is then cut off.
    columns_BR = torch.where(rejected_BR < 0, like_BC.shape[1], rejected_BR)
    return marks.scatter(1, columns_BR, 1.0)[:, :-1]


def _build_targets(
    items: Sequence[TrainingItem], places: dict[str, int], class_balance: float
) -> ItemTargets:
    return ItemTargets(
        indices=[places[item.target] for item in items],
        weights=balanced_weights(items, class_balance),
        rejected=[
            [places[name] for name in item.rejected if name in places and name != item.target]
            for item in items
        ],
    )


def _build_card(
    run: TrainingRun[SelectorConfig], before: ModelCard | None, limit: TextLimit
) -> ModelCard:
    return ModelCard(
        kind="selector",
        base_model=run.base_model,
        max_length=limit.max_length,
        frozen_layers=frozen_layers(run, before),
        temperature=run.config.temperature,
        catalogue=CATALOGUE_FILE,
        catalogue_max_length=run.config.catalogue_max_length,
    )


def embed_run_catalogue(run: TrainingRun[EncoderConfig]) -> EmbeddedCatalogue:
    """The run's tools with their vectors: the warm-start model's where it has the same tool.

    Raises:
        RunInvalid: there is no catalogue.
    """
    known = None
    if run.warm_start_model:
        known = EmbeddedCatalogue.load(run.warm_start_model, device=run.device)
    if run.catalogue is not None:
        tools: Sequence[Tool] = read_catalogue(run.catalogue)
    elif known is not None:
        tools = known.tools
    else:
        raise RunInvalid(
            "A selector needs a catalogue: give one, or a warm-start model that has it"
        )

    def load_base() -> TextEncoder:
        base = resolve_base_model(run.base_model, run.cache_dir)
        return TextEncoder.load(base, run.config.frozen_layers, device=run.device)

    assert isinstance(run.config, SelectorConfig)
    return embed_catalogue(tools, known, load_base, run.config.catalogue_max_length)
