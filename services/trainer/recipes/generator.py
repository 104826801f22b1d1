"""Train a generator: a low-rank adapter on a causal language model, loss on the answer only.

The adapter is merged into the weights at the end, so that a generator is served without PEFT.
"""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import PreTrainedTokenizerBase, set_seed
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from archon_contracts.metric_names import TOO_LONG_ITEMS, VALIDATION_ACCURACY
from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard, write_card
from archon_inference.generator import Generator, build_prompt, load_causal_model
from services.trainer.checkpoints.trainer_callback import CheckpointedTrainer
from services.trainer.errors import EmptyDataset
from services.trainer.items import TrainingItem, read_training_items
from services.trainer.recipes.fitting import TrainResult, build_training_arguments, fit
from services.trainer.recipes.progress_callback import ProgressCallback, Report, Validate
from services.trainer.recipes.run import GeneratorConfig, TrainingRun
from services.trainer.recipes.warm_start import read_warm_start_card
from shared.logging import get_logger

log = get_logger(__name__)

NAMED = 20  # a log line of more is not read
VALIDATED = 50  # completions are slow; so many show the trend


def train(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    """Train and save a generator.

    Raises:
        EmptyDataset: there is no item, or none short enough.
        RunInvalid: the warm-start model comes from another base model.
    """
    set_seed(run.seed)

    # data
    items, validation_items = read_training_items(run.dataset)

    # model: from the warm-start model on
    read_warm_start_card(run)  # raises when it does not fit
    card = _build_card(run)
    folder = run.warm_start_model or resolve_base_model(run.base_model, run.cache_dir)
    model, tokenizer = load_causal_model(folder, device=run.device)

    rows = build_rows(items, tokenizer, run.config.max_length)

    # method: supervised fine-tuning of an adapter
    adapter = LoraConfig(
        r=run.config.lora_rank,
        lora_alpha=2 * run.config.lora_rank,
        # Query and value, as in the paper on LoRA (Hu et al. 2021, section 7.1).
        target_modules=["q_proj", "v_proj"],
        task_type="CAUSAL_LM",
    )
    settings = SFTConfig(
        **build_training_arguments(run, len(rows)) | {"remove_unused_columns": True},
        max_length=run.config.max_length,
        completion_only_loss=True,
        activation_checkpointing=False,
        dataset_num_proc=None,
    )

    # callbacks, run, save
    progress = ProgressCallback(
        report, _build_validator(Generator(model, tokenizer, card), validation_items)
    )
    trainer = AdapterTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[progress],
    )
    result = fit(trainer, run, progress)
    result.metrics[TOO_LONG_ITEMS] = float(len(items) - len(rows))
    _save(trainer.model, tokenizer, card, run)
    return result


class AdapterTrainer(CheckpointedTrainer, SFTTrainer):
    """TRL's supervised fine-tuning with our checkpoints."""


def build_rows(
    items: Sequence[TrainingItem], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[dict[str, str]]:
    """Prompt and completion; the trainer adds the end token, which is learnt like the rest.

    What is longer than the limit is left out by name: cut, a long prompt has no answer to learn,
    and a cut answer teaches to break off.

    Raises:
        EmptyDataset: none is left.
    """
    rows, too_long = [], []
    for item in items:
        row = {"prompt": build_prompt(tokenizer, item.input), "completion": item.target}
        # One for the end token.
        if len(tokenizer(row["prompt"] + row["completion"])["input_ids"]) + 1 > max_length:
            too_long.append(item.id)
        else:
            rows.append(row)
    if too_long:
        log.warning(
            "items_too_long", count=len(too_long), ids=too_long[:NAMED], max_length=max_length
        )
    if not rows:
        raise EmptyDataset(
            f"All {len(items)} items are longer than {max_length} tokens, "
            f"{too_long[0]!r} among them: shorten them, or raise max_length"
        )
    return rows


def _build_validator(generator: Generator, items: Sequence[TrainingItem]) -> Validate:
    def validate() -> dict[str, float]:
        shown = items[:VALIDATED]
        if not shown:
            return {}
        # The adapter works inside the layers of this very model, so it is part of the answer.
        generator.model.train(False)
        answers = generator.predict([item.input for item in shown])
        right = [
            answer.output.casefold().split() == item.target.casefold().split()
            for answer, item in zip(answers, shown, strict=True)
        ]
        return {VALIDATION_ACCURACY: sum(right) / len(right)}

    return validate


def _build_card(run: TrainingRun[GeneratorConfig]) -> ModelCard:
    return ModelCard(
        kind="generator",
        base_model=run.base_model,
        max_length=run.config.max_length,
        max_new_tokens=run.config.max_new_tokens,
    )


def _save(
    model: object,
    tokenizer: PreTrainedTokenizerBase,
    card: ModelCard,
    run: TrainingRun[GeneratorConfig],
) -> None:
    assert isinstance(model, PeftModel)
    run.output_dir.mkdir(parents=True, exist_ok=True)
    model.merge_and_unload().save_pretrained(run.output_dir)
    tokenizer.save_pretrained(run.output_dir)
    write_card(run.output_dir, card)
