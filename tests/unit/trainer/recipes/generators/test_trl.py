"""Losses of whole runs beside those of TRL's trainers on the same rows in the same order."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from peft import LoraConfig
from transformers import set_seed
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from archon_inference.generation.causal_model import load_causal_model
from services.trainer.child import run
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines

# PEFT still asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = [
    ("what is the weather", "rain", "music song"),
    ("play my song please", "music of the artist", "hotel"),
    ("area of a triangle", "calculate the area", "rain in oslo"),
    ("find me a room", "hotel in paris", "sunny"),
]
STEPS = 6
OPTIONS: dict[str, Any] = {
    "learning_rate": 1e-3, "weight_decay": 0.01, "max_grad_norm": 1.0, "seed": 7
}  # fmt: skip


def _ours(root: Path, base: Path, method: str) -> list[float]:
    config = {
        "epochs": STEPS, "max_steps": STEPS, "batch_size": len(ROWS), "max_length": 64,
        "learning_rate": 1e-3, "lora_rank": 8, "warmup_ratio": 0.0,
    }  # fmt: skip
    spec = run_spec(root, base, kind="generator", **config) | {"method": method}
    rows = [
        {"id": str(n), "input": text, "target": chosen, "rejected": [rejected]}
        for n, (text, chosen, rejected) in enumerate(ROWS)
    ]
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "validation.jsonl", [])
    reports: list[dict[str, Any]] = []
    run(spec, reports.append)
    return _losses([each["values"] for each in reports if each["event"] == "metrics"], "train/loss")


def _losses(logs: list[dict[str, Any]], name: str) -> list[float]:
    return [log[name] for log in logs if name in log]


def _theirs(root: Path, base: Path, method: str) -> list[float]:
    model, tokenizer = load_causal_model(base)
    arguments = OPTIONS | {
        "output_dir": str(root / "trl"), "max_steps": STEPS, "logging_steps": 1,
        "per_device_train_batch_size": len(ROWS), "lr_scheduler_type": "linear",
        "use_cpu": True, "bf16": False, "report_to": "none", "disable_tqdm": True,
        "activation_checkpointing": False, "save_strategy": "no", "max_length": 64,
    }  # fmt: skip
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    set_seed(7)
    kind, settings, second = {
        "supervised": (SFTTrainer, SFTConfig, "completion"),
        "preference": (DPOTrainer, DPOConfig, "chosen"),
    }[method]
    rows = [
        {"prompt": f"{text}\n", second: chosen}
        | ({"rejected": rejected} if method == "preference" else {})
        for text, chosen, rejected in ROWS
    ]
    trainer = kind(
        model=model,
        args=settings(**arguments),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.train()
    return _losses(trainer.state.log_history, "loss")


@pytest.mark.parametrize("method", ["supervised", "preference"])
def test_the_loss_of_each_step_is_that_of_trl(tmp_path: Path, method: str) -> None:
    base = tiny_causal_model(tmp_path / "base", spread=0.15)

    ours, theirs = _ours(tmp_path, base, method), _theirs(tmp_path, base, method)

    assert len(ours) == STEPS
    assert ours == pytest.approx(theirs, rel=2e-3)
