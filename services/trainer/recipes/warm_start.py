"""The model that a run goes on from."""

from __future__ import annotations

from pathlib import Path

from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard, read_card
from services.trainer.errors import RunInvalid
from services.trainer.recipes.run import EncoderConfig, RunConfig, TrainingRun


def read_warm_start_card(run: TrainingRun[RunConfig]) -> ModelCard | None:
    """The card of the run's warm-start model, or None for a first training.

    Raises:
        RunInvalid: the warm-start model is of another kind or comes from another base model.
    """
    if run.warm_start_model is None:
        return None
    warm_start = read_card(run.warm_start_model)
    if (warm_start.kind, warm_start.base_model) != (run.kind.value, run.base_model):
        raise RunInvalid(
            f"The warm-start model is a {warm_start.kind} of {warm_start.base_model}, "
            f"the run wants a {run.kind.value} of {run.base_model}"
        )
    return warm_start


def find_start(run: TrainingRun[RunConfig]) -> Path:
    """The folder of the model that a run without a warm start begins with.

    Raises:
        BaseModelMissing, BaseModelChanged: see `resolve_base_model`.
    """
    return run.source_model or resolve_base_model(run.base_model, run.cache_dir)


def frozen_layers(run: TrainingRun[EncoderConfig], warm_start: ModelCard | None) -> int:
    """Lowest layers that are still the base model's after the run."""
    frozen = run.config.frozen_layers
    return min(frozen, warm_start.frozen_layers) if warm_start else frozen
