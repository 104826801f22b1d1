"""Examples a second of the fine-tuning recipe beside a plain transformers `Trainer`.

Both train on the same rows of CLINC150 (30 intents, 20 examples each) with the same batch size,
epochs and threads, and are scored on the same test rows. The plain one is a sequence classifier
with all its layers trainable, as its documentation shows it, at the learning rate of `rivals.py`.
Ours is the product's recipe made to fine-tune (`fine_tuning: always`), whose lowest layers are
frozen and run once per text; its seconds are those of the training loop, as are the plain one's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from archon_contracts.values import AgentKind, TrainingMethod
from archon_inference.base_models import resolve_base_model
from archon_inference.loading import load_predictor
from archon_inference.model_files import quiet_loading
from services.trainer.recipes.recipe_table import RECIPES
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    MAXIMUM_TOKENS,
    Domain,
    merge,
    read_domains,
)
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.own_recipe import VALIDATION_STRIDE, OwnClassifier
from tests.benchmarks.learning.rivals import BATCH, LEARNING_RATE

SEEDS, DOMAINS, PER_INTENT, EPOCHS = (0, 1, 2), 2, 20, 4
TEST_PER_INTENT: int | None = None
TINY = {"SEEDS": (0,), "DOMAINS": 1, "PER_INTENT": 3, "EPOCHS": 1, "TEST_PER_INTENT": 1}


@dataclass(frozen=True, slots=True)
class ThroughputResult:
    """One training: examples a second of the loop, and accuracy on the test rows."""

    rate: float
    accuracy: float


def run() -> list[Figure]:
    """Both once per seed; figures are medians over the seeds."""
    pairs = []
    for seed in SEEDS:
        rows = merge("all", read_domains(seed, PER_INTENT, test=TEST_PER_INTENT)[:DOMAINS])
        pairs.append((_ours(rows, seed), _plain(rows, seed)))
        print(f"seed {seed}, ours and plain: {pairs[-1]}", flush=True)
    ratios = [ours.rate / plain.rate for ours, plain in pairs]
    lost = [plain.accuracy - ours.accuracy for ours, plain in pairs]
    return [
        median("ours", [ours.rate for ours, _ in pairs], unit="examples/s"),
        median("plain Trainer", [plain.rate for _, plain in pairs], unit="examples/s"),
        median("ours to the plain Trainer", ratios, reach=1.5),
        median("accuracy, ours", [ours.accuracy for ours, _ in pairs]),
        median("accuracy, plain Trainer", [plain.accuracy for _, plain in pairs]),
        median("accuracy below the plain one", lost, reach=0.005, higher_is_better=False),
    ]


def _ours(rows: Domain, seed: int) -> ThroughputResult:
    defaults = RECIPES[AgentKind.CLASSIFIER, TrainingMethod.SUPERVISED].defaults
    assert defaults["batch_size"] == BATCH
    with OwnClassifier(seed, {"fine_tuning": "always", "epochs": EPOCHS}) as classifier:
        trained = classifier.learn(rows.train, rows.intents)
        model = load_predictor(Path(trained["model_dir"]))
        answers = model.predict([text for text, _ in rows.test], k=1)
    items = EPOCHS * (len(rows.train) - len(rows.train) // VALIDATION_STRIDE)
    right = sum(a.output == intent for a, (_, intent) in zip(answers, rows.test, strict=True))
    return ThroughputResult(items / trained["stage_seconds"]["train"], right / len(rows.test))


class _Encoded(Dataset[dict[str, object]]):
    def __init__(self, encoded: Sequence[dict[str, object]]) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, row: int) -> dict[str, object]:
        return self._encoded[row]


def _plain(rows: Domain, seed: int) -> ThroughputResult:
    folder = resolve_base_model(BASE_MODEL, None)
    torch.manual_seed(seed)
    with quiet_loading():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(rows.intents), local_files_only=True
        )

    def encode(part: Sequence[tuple[str, str]]) -> _Encoded:
        places = {intent: place for place, intent in enumerate(rows.intents)}
        return _Encoded(
            [
                {**tokenizer(text, truncation=True, max_length=MAXIMUM_TOKENS), "label": places[i]}
                for text, i in part
            ]
        )

    with tempfile.TemporaryDirectory(prefix="archon-bench-") as output:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=output,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=64,
                learning_rate=LEARNING_RATE,
                warmup_steps=0.1,
                seed=seed,
                use_cpu=True,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=encode(rows.train),
        )
        seconds = trainer.train().metrics["train_runtime"]
        logits = np.asarray(trainer.predict(encode(rows.test)).predictions)
    answers = logits.argmax(-1).tolist()
    right = sum(rows.intents[a] == i for a, (_, i) in zip(answers, rows.test, strict=True))
    return ThroughputResult(EPOCHS * len(rows.train) / seconds, right / len(rows.test))
