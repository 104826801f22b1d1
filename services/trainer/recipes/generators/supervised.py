"""Supervised fine-tuning of a generator: an adapter learns the answers, and nothing of the prompts.

With a batch's loss as TRL's `SFTTrainer` has it; computed by `answer_loss`, which weighs items and
spares the logits of the prompts.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from transformers import TrainingArguments, set_seed

from archon_contracts.metric_names import MAX_LENGTH, TOO_LONG_ITEMS
from services.trainer.items import TrainingItem, read_training_items
from services.trainer.recipes.fitting import (
    PlannedTrainer,
    RowNumbers,
    TrainResult,
    build_sampler,
    build_training_arguments,
    fit,
)
from services.trainer.recipes.generators.adapter import TrainableGenerator, load_trainable
from services.trainer.recipes.generators.answer_loss import (
    answer_losses,
    measure_loss,
    weighted_token_mean,
)
from services.trainer.recipes.generators.examples import (
    ExampleCollator,
    Examples,
    build_examples,
    select_fitting,
)
from services.trainer.recipes.generators.validation import (
    build_validator,
    find_closed_set,
    score_epoch,
)
from services.trainer.recipes.progress_callback import ProgressCallback, Report, Validate
from services.trainer.recipes.run import GeneratorConfig, TrainingRun


def train(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    """Train and save a generator.

    Raises:
        EmptyDataset: there is no item, or none short enough.
        RunInvalid: see `load_trainable`.
    """
    set_seed(run.seed)
    items, validation_items = read_training_items(run.dataset)
    generator = load_trainable(run, [item.target for item in items])
    examples = build_examples(items, generator.tokenizer, generator.longest)
    progress = ProgressCallback(
        report, _build_validator(run, generator, examples.items, validation_items)
    )
    result = fit_answers(run, generator, examples, progress)
    generator.save(run.output_dir)
    result.metrics[TOO_LONG_ITEMS] = float(examples.too_long)
    result.metrics[MAX_LENGTH] = float(generator.longest)
    return result


class AnswerTrainer(PlannedTrainer):
    """Learns answers, each weighing as much as its item."""

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Nats per token."""
        return weighted_token_mean(*answer_losses(model, inputs), inputs["weights"])


def fit_answers(
    run: TrainingRun[GeneratorConfig],
    generator: TrainableGenerator,
    examples: Examples,
    progress: ProgressCallback,
) -> TrainResult:
    """Train the adapter on the examples, from the newest checkpoint on."""
    trainer = AnswerTrainer(
        model=generator.model,
        args=TrainingArguments(**build_training_arguments(run, len(examples.rows))),
        data_collator=ExampleCollator(examples.rows, padding_of(generator)),
        train_dataset=RowNumbers(len(examples.rows)),
        callbacks=[progress],
    )
    lengths = [len(row.ids) for row in examples.rows]
    trainer.sampler = build_sampler(run, examples.items, lengths)
    trainer.plan_layers(run)
    return fit(trainer, run, progress, score_epoch)


def padding_of(generator: TrainableGenerator) -> int:
    """The padding token's id; `load_causal_model` has seen to it that there is one."""
    return int(generator.tokenizer.pad_token_id)


def _build_validator(
    run: TrainingRun[GeneratorConfig],
    generator: TrainableGenerator,
    items: Sequence[TrainingItem],
    validation_items: Sequence[TrainingItem],
) -> Validate:
    rows = select_fitting(validation_items, generator.tokenizer, generator.longest).rows

    def loss() -> float | None:
        if not rows:
            return None
        return measure_loss(generator.model, rows, padding_of(generator), run.config.batch_size)

    closed = find_closed_set(items)
    return build_validator(generator.as_generator(), loss, validation_items, closed)
