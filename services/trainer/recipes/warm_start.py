"""The model that a run goes on from."""

from __future__ import annotations

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


def frozen_layers(run: TrainingRun[EncoderConfig], warm_start: ModelCard | None) -> int:
    """Lowest layers that are still the base model's after the run."""
    frozen = run.config.frozen_layers
    return min(frozen, warm_start.frozen_layers) if warm_start else frozen
