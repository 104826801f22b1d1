"""The part of a run that all recipes share: arguments, resuming, the loop, the result."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import PrinterCallback, TrainingArguments

from archon_contracts import metric_names
from services.trainer.checkpoints.best_epoch import BestEpoch
from services.trainer.checkpoints.store import find_newest_checkpoint
from services.trainer.checkpoints.trainer_callback import CheckpointedTrainer
from services.trainer.errors import NoOptimizerSteps
from services.trainer.items import TrainingItem
from services.trainer.recipes.frozen_features import Collator, PlannedSampler
from services.trainer.recipes.layers import GradualUnfreezing, LayerPlan, build_layer_plan
from services.trainer.recipes.progress_callback import ProgressCallback, TimeLimit
from services.trainer.recipes.run import EncoderConfig, RunConfig, TrainingRun
from services.trainer.recipes.sampling_order import (
    SINGLE_STAGE,
    SamplingStage,
    bucket_by_length,
    sample_order,
)

LOGS_PER_RUN: Final = 25
LIBRARIES: Final = ("torch", "transformers", "accelerate", "safetensors", "tokenizers", "numpy")

MAX_STEPS: Final = 100_000
"""Of any run, whatever its epochs and items: a slot is not held for days."""


@dataclass(frozen=True)
class TrainResult:
    """What a recipe did; the model lies in the run's output folder."""

    steps: int
    train_loss: float
    metrics: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)
    closed_form_metrics: dict[str, float] | None = None
    """Of the closed form, which lies in the run's `closed_form_dir`; None: there is none beside
    the model."""
    right: Sequence[bool] = ()
    """Which validation items the model answers right, where a recipe has looked."""


class RowNumbers(Dataset[int]):
    """Row numbers: the collator knows what they stand for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:
        return row


class PlannedTrainer(CheckpointedTrainer):
    """Samples its items in a planned order."""

    sampler: PlannedSampler
    layer_plan: LayerPlan | None = None

    def _get_train_sampler(self, train_dataset: object = None) -> PlannedSampler:
        return self.sampler

    def create_optimizer(self, model: object = None) -> torch.optim.Optimizer:
        """One optimizer; with a layer plan a rate for each layer."""
        if self.layer_plan is None or self.optimizer is not None:
            optimizer: torch.optim.Optimizer = super().create_optimizer()
            return optimizer
        assert self.model is not None
        of_class, settings = self.get_optimizer_cls_and_kwargs(self.args)
        rates = self.layer_plan.group_parameters(self.model, self.args.learning_rate)
        self.optimizer = of_class(
            [{**group, "weight_decay": self.args.weight_decay} for group in rates], **settings
        )
        return self.optimizer

    def plan_layers(self, run: TrainingRun[RunConfig]) -> None:
        """Train the layers as the run asks for; called before training."""
        assert self.model is not None
        self.layer_plan = build_layer_plan(run, self.model)
        if self.layer_plan is not None and self.layer_plan.is_gradual:
            self.add_callback(GradualUnfreezing(self.layer_plan))


def count_steps(run: TrainingRun[RunConfig], items: int) -> int:
    """Optimizer steps of the whole run: its epochs, and more where they are too few."""
    steps = math.ceil(run.config.epochs * math.ceil(items / run.config.batch_size))
    steps = max(steps, run.config.minimum_steps)
    return min(steps, run.config.max_steps or MAX_STEPS, MAX_STEPS)


def build_training_arguments(run: TrainingRun[RunConfig], items: int) -> dict[str, Any]:
    """What `TrainingArguments` and its descendants are given."""
    config, steps = run.config, count_steps(run, items)
    return {
        "output_dir": str(run.checkpoint_dir),
        # Always explicit: the learning-rate schedule and the planned order must end together.
        "max_steps": steps,
        "per_device_train_batch_size": math.ceil(config.batch_size / config.accumulation),
        "gradient_accumulation_steps": config.accumulation,
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "lr_scheduler_type": "linear",
        "warmup_steps": math.ceil(config.warmup_ratio * steps),
        "logging_steps": max(1, steps // LOGS_PER_RUN),
        "logging_first_step": True,
        # The filter would hide a loss that is not a number from the log.
        "logging_nan_inf_filter": False,
        "save_steps": config.checkpoint_steps,
        "seed": run.seed,
        "use_cpu": run.device == "cpu",
        "bf16": run.precision == "bfloat16",
        # The data set gives row numbers and no columns that could be compared with `forward`.
        "remove_unused_columns": False,
        # The states, nearly all of a batch, are on the device when they are put together.
        "dataloader_pin_memory": False,
        "report_to": "none",
        "disable_tqdm": True,
    }


def run_metadata(run: TrainingRun[RunConfig]) -> dict[str, object]:
    """What is kept in each checkpoint, so that it can be explained and repeated."""
    versions = {library: version(library) for library in LIBRARIES}
    return {"run": run.model_dump(mode="json"), "library_versions": versions}


def build_sampler(
    run: TrainingRun[RunConfig], items: Sequence[TrainingItem], lengths: Sequence[int]
) -> PlannedSampler:
    """The order of the whole run: the curriculum's stages, then buckets of similar length."""
    per_epoch = len(items)
    epochs = math.ceil(count_steps(run, per_epoch) / math.ceil(per_epoch / run.config.batch_size))
    stages: Sequence[SamplingStage] = SINGLE_STAGE
    if run.plan:
        stages = [SamplingStage(s.maximum_difficulty, s.step_proportion) for s in run.plan.stages]
    difficulties = [item.difficulty for item in items]
    sampled = sample_order(difficulties, per_epoch * epochs, stages, run.seed)
    order: list[int] = []
    for epoch in range(epochs):
        rows = sampled[epoch * per_epoch : (epoch + 1) * per_epoch]
        # Other buckets in each epoch, and the same ones after a resume.
        order += bucket_by_length(rows, lengths, run.config.batch_size, run.seed + epoch)
    return PlannedSampler(order, per_epoch)


def fit_encoder(
    run: TrainingRun[EncoderConfig],
    objective: nn.Module,
    collator: Collator,
    items: Sequence[TrainingItem],
    progress: ProgressCallback,
) -> TrainResult:
    """Train the objective's parameters on the items, from the newest checkpoint on."""
    trainer = PlannedTrainer(
        model=objective,
        args=TrainingArguments(**build_training_arguments(run, len(items))),
        data_collator=collator,
        train_dataset=RowNumbers(len(items)),
        callbacks=[progress],
    )
    trainer.sampler = build_sampler(run, items, [len(ids) for ids in collator.states.ids])
    trainer.plan_layers(run)
    return fit(trainer, run, progress)


def score_by_accuracy(figures: Mapping[str, float]) -> float | None:
    """The validation accuracy, where there are items to measure it on."""
    return figures.get(metric_names.VALIDATION_ACCURACY)


def fit(
    trainer: CheckpointedTrainer,
    run: TrainingRun[RunConfig],
    progress: ProgressCallback,
    score: Callable[[Mapping[str, float]], float | None] = score_by_accuracy,
) -> TrainResult:
    """Run the loop; the best epoch is the one whose validation figures `score` highest.

    Raises:
        NoOptimizerSteps: it ended without an optimizer step.
        NonFiniteLoss: a loss or gradient was not a number; no step was taken with it.
    """
    trainer.run_metadata = run_metadata(run)
    # It would print every log entry between the lines of the structured log.
    trainer.remove_callback(PrinterCallback)
    # After the callback that validates, whose figure it reads.
    best = BestEpoch(
        run.checkpoint_dir,
        lambda: score(progress.validation),
        run.config.maximum_worse_epochs,
        progress.validate,
    )
    trainer.add_callback(best)
    if run.config.maximum_seconds is not None:
        trainer.add_callback(TimeLimit(run.config.maximum_seconds))
    checkpoint = find_newest_checkpoint(run.checkpoint_dir)
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if result.global_step < 1:
        raise NoOptimizerSteps(f"Job {run.job_id} did no optimizer step")
    train_seconds = result.metrics["train_runtime"] - progress.validation_seconds
    assert trainer.model is not None
    restored = best.restore(trainer.model, result.global_step)
    # The last figures are of other weights, or of a process that died after its last epoch.
    if restored is not None or not progress.validation:
        progress.validate()
    # From the log, which a resumed run brings along; the Trainer's own mean begins anew.
    losses = [e["loss"] for e in trainer.state.log_history if "loss" in e]
    train_loss = statistics.fmean(losses)
    return TrainResult(
        steps=result.global_step,
        train_loss=train_loss,
        metrics={
            metric_names.TRAIN_LOSS: train_loss,
            **describe_losses(losses),
            **progress.validation,
            **describe_throughput(trainer, train_seconds),
            **({metric_names.BEST_EPOCH: float(restored.epoch)} if restored else {}),
        },
        seconds={
            "train": train_seconds,
            "validate": progress.validation_seconds,
        },
    )


def describe_throughput(trainer: CheckpointedTrainer, seconds: float) -> dict[str, float]:
    """What the steps read; nothing where the batches have no mask."""
    if not trainer.positions:
        return {}
    return {
        metric_names.EXAMPLES: float(trainer.examples),
        metric_names.TOKENS: float(trainer.tokens),
        metric_names.EXAMPLES_PER_SECOND: trainer.examples / max(seconds, 1e-9),
        metric_names.PADDING: 1 - trainer.tokens / trainer.positions,
    }


def describe_losses(losses: Sequence[float]) -> dict[str, float]:
    """The loss at the beginning and the end of a run; nothing where it was logged only once.

    Means of a quarter each: single steps of few items say little.
    """
    if len(losses) < 2:
        return {}
    part = max(1, len(losses) // 4)
    return {
        metric_names.TRAIN_LOSS_BEFORE: statistics.fmean(losses[:part]),
        metric_names.TRAIN_LOSS_AFTER: statistics.fmean(losses[-part:]),
    }
