"""The model that a run goes on from."""

from __future__ import annotations

from archon_inference.card import ModelCard, read_card
from services.trainer.recipes.errors import RunInvalid
from services.trainer.recipes.run import TrainingRun


def parent_card(run: TrainingRun) -> ModelCard | None:
    """The card of the run's parent, or None for a first training.

    Raises:
        RunInvalid: the parent is of another kind or comes from another base model.
    """
    if run.parent_model is None:
        return None
    parent = read_card(run.parent_model)
    if (parent.kind, parent.base_model) != (run.kind.value, run.base_model):
        raise RunInvalid(
            f"The parent is a {parent.kind} of {parent.base_model}, "
            f"the run wants a {run.kind.value} of {run.base_model}"
        )
    return parent


def frozen_layers(run: TrainingRun, parent: ModelCard | None) -> int:
    """Lowest layers that are still the base model's after the run."""
    frozen = run.config.frozen_layers
    return min(frozen, parent.frozen_layers) if parent else frozen
