"""Samples per second of SFT, DPO and KTO beside TRL's trainers on the same rows in the same order.

A model of GPT-2's shape with 4 layers of 128 units and 8,192 tokens, LoRA of rank 8, 1,024 prompts,
batches of 16, 50 steps, one thread. Times are of whole runs: load, tokenise, train, save; they are
seconds of the CPU, so that other work on the machine does not count. The order is that of our
buckets of similar length, from which TRL gains too.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, set_seed

from archon_inference.generation.causal_model import load_causal_model
from services.trainer import child as trainer
from services.trainer.items import TrainingItem
from services.trainer.recipes.fitting import build_sampler
from services.trainer.recipes.recipe_table import read_run
from tests.benchmarks.generators.small_language_model import generator_spec, write_rows
from tests.benchmarks.harness import Figure

PROMPTS, BATCH, STEPS = 1024, 16, 50
VOCABULARY = 8192
METHODS = ("sft", "dpo", "kto")
TINY = {"PROMPTS": 8, "BATCH": 2, "STEPS": 1, "VOCABULARY": 64, "METHODS": ("sft",)}
SPECIAL = ("[UNK]", "<s>", "</s>", "[PAD]")
RATE, RANK, SEED = 1e-3, 8, 0

Row = dict[str, Any]
Losses = list[float]


def run() -> list[Figure]:
    """Each method by TRL and by our recipe, one after the other."""
    torch.set_num_threads(1)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        base = _write_base(Path(name) / "base")
        for method in METHODS:
            root = Path(name) / method
            rows = _rows(method)
            import_module(f"trl.trainer.{method}_trainer")  # not a part of either's time
            ours, our_seconds = _timed(_run_ours, root, base, method, rows)
            theirs, their_seconds = _timed(_run_trl, root, base, method, rows)
            samples = BATCH * STEPS
            figures += [
                Figure(
                    name=f"{method}: samples/s over TRL's",
                    figure=their_seconds / our_seconds,
                    unit="times",
                    reach=0.97,
                ),
                Figure(name=f"{method}: ours", figure=samples / our_seconds, unit="samples/s"),
                Figure(name=f"{method}: TRL", figure=samples / their_seconds, unit="samples/s"),
                Figure(
                    name=f"{method}: largest relative difference of a step's loss",
                    figure=max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True)),
                    unit="fraction",
                ),
            ]
    return figures


def _timed(work: Callable[..., Losses], *arguments: Any) -> tuple[Losses, float]:
    started = time.process_time()
    losses = work(*arguments)
    return losses, time.process_time() - started


def _write_base(folder: Path) -> Path:
    words = {w: n for n, w in enumerate([*SPECIAL, *map(_word, range(VOCABULARY - len(SPECIAL)))])}
    backend = Tokenizer(models.WordLevel(words, unk_token=SPECIAL[0]))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # untyped there
        tokenizer_object=backend,
        unk_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[3],
    )
    torch.manual_seed(SEED)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_layer=4,
        n_embd=128,
        n_head=4,
        # Dropout would take other random numbers in each of the two.
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _word(number: int) -> str:
    return f"w{number}"


def _rows(method: str) -> list[Row]:
    """Prompts of 8 to 48 words and answers of 4 to 12, of few words, so that there is something
    to learn; in the order in which our sampler takes them."""
    rng = random.Random(SEED)

    def text(least: int, most: int, words: int) -> str:
        return " ".join(_word(rng.randrange(words)) for _ in range(rng.randint(least, most)))

    answers = VOCABULARY // 16
    rows: list[Row] = []
    for number in range(PROMPTS):
        row: Row = {"id": str(number), "input": text(8, 48, VOCABULARY - len(SPECIAL))}
        if method == "kto":
            row |= {"actual": text(4, 12, answers), "reward": 1.0 if number % 2 else -1.0}
        else:
            row |= {"target": text(4, 12, answers)}
            row |= {"rejected": [text(4, 12, answers)]} if method == "dpo" else {}
        rows.append(row)
    return rows


def _spec(root: Path, base: Path, method: str) -> dict[str, Any]:
    config = {
        "epochs": 1,
        "max_steps": STEPS,
        "batch_size": BATCH,
        "learning_rate": RATE,
        "warmup_ratio": 0.0,
        "lora_rank": RANK,
        "checkpoint_steps": 10_000,
    }
    name = "supervised" if method == "sft" else "preference"
    return generator_spec(root, base, name, config, SEED)


def _run_ours(root: Path, base: Path, method: str, rows: Sequence[Row]) -> Losses:
    file = "rewards.jsonl" if method == "kto" else "train.jsonl"
    write_rows(root / "dataset" / file, rows)
    losses: dict[int, float] = {}

    def keep(event: Mapping[str, Any]) -> None:
        if event["event"] == "metrics" and "train/loss" in event["values"]:
            losses[int(event["step"])] = event["values"]["train/loss"]

    trainer.run(_spec(root, base, method), keep)
    return [losses[step] for step in sorted(losses)]


def _run_trl(root: Path, base: Path, method: str, rows: Sequence[Row]) -> Losses:
    model, tokenizer = load_causal_model(base)
    name = method.upper()
    kind = getattr(import_module(f"trl.trainer.{method}_trainer"), f"{name}Trainer")
    settings = getattr(import_module(f"trl.trainer.{method}_config"), f"{name}Config")
    set_seed(SEED)
    arguments = settings(
        output_dir=str(root / "trl"),
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        weight_decay=0.01,
        lr_scheduler_type="linear",
        logging_steps=max(1, STEPS // 25),
        logging_first_step=True,
        train_sampling_strategy="sequential",
        activation_checkpointing=False,
        save_strategy="no",
        max_length=512,
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )
    trl = kind(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(_trl_rows(root, base, method, rows)),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=RANK,
            lora_alpha=2 * RANK,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
            fan_in_fan_out=True,  # of GPT-2's layers
        ),
    )
    trl.train()
    trl.save_model(str(root / "trl"))
    return [entry["loss"] for entry in trl.state.log_history if "loss" in entry]


def _trl_rows(root: Path, base: Path, method: str, rows: Sequence[Row]) -> list[Row]:
    """TRL's columns, in the order that our sampler gives."""
    items = [TrainingItem.model_validate(row) for row in rows]
    answers = [
        [item.target or item.actual, *item.rejected] for item in items
    ]  # a rated answer stands beside another one, whose length counts too
    if method == "kto":
        answers = [[own[0], answers[(n + 1) % len(answers)][0]] for n, own in enumerate(answers)]
    prompts = [len(item.input.split()) for item in items]
    lengths = [
        sum(prompt + len(answer.split()) + 1 for answer in texts)
        for prompt, texts in zip(prompts, answers, strict=True)
    ]
    order = list(build_sampler(read_run(_spec(root, base, method)), items, lengths))
    return [_trl_row(method, items[number]) for number in order]


def _trl_row(method: str, item: TrainingItem) -> Row:
    prompt = f"{item.input}\n"
    if method == "kto":
        label = (item.reward or 0.0) > 0
        return {"prompt": prompt, "completion": item.actual, "label": label}
    if method == "dpo":
        return {"prompt": prompt, "chosen": item.target, "rejected": item.rejected[0]}
    return {"prompt": prompt, "completion": item.target}
