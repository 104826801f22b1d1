"""Transfer: train from a version of another agent, or from the base model, and measure the start.

What the start is worth is measured on the validation items: against the same training from the
base model and from random weights, and against the start without training. The candidate is the
model that was asked for; whether it may be deployed the gate decides.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from archon_contracts.formats import VALIDATION_FILE
from archon_contracts.metric_names import (
    FROM_BASE,
    FROM_SCRATCH,
    TRANSFER_ACCURACY,
    TRANSFER_ITEMS,
    ZERO_SHOT,
)
from archon_contracts.values import AgentKind, TransferLayers
from archon_inference.card import read_card
from archon_inference.loading import load_predictor
from services.trainer.closed_form.choice import p_value_of_gain
from services.trainer.errors import RunInvalid, TrainingImpossible
from services.trainer.items import TrainingItem, read_items
from services.trainer.recipes.candidates import train as train_encoder
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.generators.supervised import train as train_generator
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import RunConfig, TrainingRun
from services.trainer.recipes.transfer.starts import (
    answer_zero_shot,
    normal_answer,
    write_random_model,
)

COMPARISONS: Final = "comparisons"
"""Folder of the other starts' runs, below the checkpoints; it goes with them."""
COMPARED_ITEMS: Final = 200
"""Validation items that a generator answers for each start."""

Run = TrainingRun[Any]


def train(run: Run, report: Report) -> TrainResult:
    """Train and save the model that was asked for, then measure the other starts.

    Raises:
        EmptyDataset: no item has an answer of the agent.
        RunInvalid: the source is of another kind or base model, or a setting does not fit.
    """
    run = _settle_layers(run)
    _require_same_family(run)
    items = read_items(run.dataset / VALIDATION_FILE)
    # Before training: the run's folder is not written yet, and a wrong source fails at once.
    result = _train_from(run, report)
    if not items or not run.config.compare_starts:
        return result
    if run.kind is AgentKind.GENERATOR:
        items = items[:COMPARED_ITEMS]
    right = result.right or _right_answers(run, items)
    compared = _compare(run, items, right)
    result.metrics.update(compared)
    if result.closed_form_metrics is not None:
        # The gate may take it in the model's place; what the start was worth stays true.
        result.closed_form_metrics.update(compared)
    return replace(result, right=right)


def _settle_layers(run: Run) -> Run:
    """The run with what its `transfer_layers` mean for the other settings."""
    config: RunConfig = run.config
    generator = run.kind is AgentKind.GENERATOR
    layers = config.transfer_layers or (TransferLayers.LORA if generator else TransferLayers.FROZEN)
    changed: dict[str, object] = {"transfer_layers": layers}
    if generator and layers is TransferLayers.FULL:
        raise RunInvalid(
            "A generator's version is an adapter beside its base model, so transfer_layers full "
            "cannot be kept: use lora, frozen or gradual"
        )
    if layers in (TransferLayers.FULL, TransferLayers.LORA) and not generator:
        if "frozen_layers" in run.named and run.config.frozen_layers:
            raise RunInvalid(
                f"transfer_layers {layers.value} trains every layer, and frozen_layers is "
                f"{run.config.frozen_layers}: leave it out, or use transfer_layers frozen"
            )
        changed["frozen_layers"] = 0
    return run.model_copy(update={"config": config.model_copy(update=changed)})


def _require_same_family(run: Run) -> None:
    if run.source_model is None:
        return
    source = read_card(run.source_model)
    if (source.kind, source.base_model) != (run.kind.value, run.base_model):
        raise RunInvalid(
            f"The source is a {source.kind} of {source.base_model}, the agent a {run.kind.value} "
            f"of {run.base_model}: name a source of the same kind and base model"
        )


def _train_from(run: Run, report: Report) -> TrainResult:
    if run.kind is AgentKind.GENERATOR:
        # The source's adapter is gone on from, as that of a deployed version would be.
        return train_generator(
            run.model_copy(update={"warm_start_model": run.source_model}), report
        )
    return train_encoder(run, report)


def _compare(run: Run, items: Sequence[TrainingItem], right: Sequence[bool]) -> dict[str, float]:
    """Accuracy and p value of each other start, each measured once however often it is
    resumed; none of a start that cannot be trained, for whatever reason."""
    metrics = {
        TRANSFER_ITEMS: float(len(items)),
        TRANSFER_ACCURACY: sum(right) / len(right),
    }
    for name, measure in _other_starts(run, items).items():
        try:
            other = _measured_once(run, name, measure)
        except TrainingImpossible:
            continue  # a measurement that fails must not cost the model that is trained
        metrics[f"{name}_accuracy"] = sum(other) / len(other)
        metrics[f"{name}_p_value"] = p_value_of_gain(right, other)
    shutil.rmtree(run.checkpoint_dir / COMPARISONS, ignore_errors=True)
    return metrics


def _other_starts(
    run: Run, items: Sequence[TrainingItem]
) -> dict[str, Callable[[], Sequence[bool]]]:
    starts: dict[str, Callable[[], Sequence[bool]]] = {
        ZERO_SHOT: lambda: answer_zero_shot(run, items)
    }
    if run.source_model is not None:
        starts[FROM_BASE] = lambda: _train_aside(run, "base", items)
    if run.kind is not AgentKind.GENERATOR:
        # An adapter beside a random language model learns nothing, which needs no measurement.
        starts[FROM_SCRATCH] = lambda: _train_aside(run, "scratch", items)
    return starts


def _train_aside(run: Run, start: str, items: Sequence[TrainingItem]) -> Sequence[bool]:
    """The right answers of the same training from another start; its model is not kept."""
    folder = run.checkpoint_dir / COMPARISONS / start
    other = run.model_copy(
        update={
            "source_model": None,
            "output_dir": folder / "model",
            "checkpoint_dir": folder / "checkpoints",
        }
    )
    if start == "scratch":
        random = write_random_model(run, folder / "random")
        other = other.model_copy(update={"base_model": random.as_uri()})
    result = _train_from(other, lambda _: None)
    return result.right or _right_answers(other, items)


def _right_answers(run: Run, items: Sequence[TrainingItem]) -> list[bool]:
    predictor = load_predictor(run.output_dir, device=run.device)
    answers = predictor.predict([item.input for item in items], k=1)
    return [
        normal_answer(answer.output) == normal_answer(item.target)
        for answer, item in zip(answers, items, strict=True)
    ]


def _measured_once(run: Run, name: str, measure: Callable[[], Sequence[bool]]) -> list[bool]:
    """A resumed run does not train again what it has measured."""
    folder = run.checkpoint_dir / COMPARISONS
    kept = folder / f"{name.rpartition('/')[2]}.json"
    if kept.is_file():
        known: list[bool] = json.loads(kept.read_bytes())
        return known
    right = list(measure())
    folder.mkdir(parents=True, exist_ok=True)
    staged = kept.with_suffix(".partial")
    staged.write_text(json.dumps(right))
    staged.replace(kept)
    return right
