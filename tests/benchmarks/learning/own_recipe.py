"""The product's recipe for classifiers, window by window, without its services and gate."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Final, Self

import torch

from archon_contracts.formats import REPLAY, TRAIN_FILE, VALIDATION_FILE, TrainingItem, to_jsonl
from archon_contracts.values import RetentionStrategy
from archon_inference.classifier import Classifier
from archon_inference.loading import load_predictor
from services.trainer import child as trainer
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    Domain,
    FrozenVectors,
    Row,
    StepAccuracies,
    accuracy_by_domain,
    merge,
)
from tests.benchmarks.learning.rivals import remember

VALIDATION_STRIDE: Final = 10
"""One row in so many is held out for validation, as where the agent has a suite."""


class OwnClassifier:
    """A classifier that learns windows by the product's recipe; its folder is temporary."""

    def __init__(
        self,
        seed: int,
        config: Mapping[str, Any] | None = None,
        retention: RetentionStrategy = RetentionStrategy.STANDARD,
    ) -> None:
        self._retention = retention
        self.seconds: list[float] = []
        self._seed = seed
        self._config = dict(config or {})
        self._root = Path(mkdtemp(prefix="archon-bench-"))
        self._version: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._root)

    def learn(
        self, rows: Sequence[Row], labels: Sequence[str], replayed: Sequence[Row] = ()
    ) -> dict[str, Any]:
        """One window: the agent has these labels from now on. Returns the run's result.

        A rehearsal starts from the base model, with what is replayed as all that is remembered.
        """
        step = self._root / str(len(self.seconds))
        items = [
            TrainingItem(id=f"{len(self.seconds)}-{n}", input=text, target=intent)
            for n, (text, intent) in enumerate(rows)
        ]
        held_out = items[VALIDATION_STRIDE - 1 :: VALIDATION_STRIDE]
        kept = [item for n, item in enumerate(items) if (n + 1) % VALIDATION_STRIDE]
        kept += [
            TrainingItem(id=f"replay-{n}", input=text, target=intent, source=REPLAY)
            for n, (text, intent) in enumerate(replayed)
        ]
        (step / "data").mkdir(parents=True)
        (step / "data" / TRAIN_FILE).write_bytes(to_jsonl(kept))
        (step / "data" / VALIDATION_FILE).write_bytes(to_jsonl(held_out))
        began = time.perf_counter()
        result = trainer.run(self._spec(step, labels), lambda _: None)
        self.seconds.append(time.perf_counter() - began)
        before, self._version = self._version, Path(result["model_dir"])
        if before is not None:
            shutil.rmtree(before.parent)  # 90 MB each
        return result

    def learn_stream(
        self, stream: Sequence[Domain], frozen: FrozenVectors, *, replay: bool = False
    ) -> StepAccuracies:
        """One domain after the other, each scored on all so far.

        With `replay` as many rows of each label are replayed as the rivals keep.
        """
        history, memory = [], list[Row]()
        for step, domain in enumerate(stream):
            known = stream[: step + 1]
            self.learn(domain.train, merge("all", known).intents, replayed=memory)
            if replay:
                memory += remember(domain.train)
            history.append(self.accuracy(known, frozen))
        return StepAccuracies(tuple(history), sum(self.seconds))

    def accuracy(self, domains: Sequence[Domain], frozen: FrozenVectors) -> dict[str, float]:
        """By domain, of the newest version."""
        assert self._version is not None, "learn comes first"
        model = load_predictor(self._version)
        assert isinstance(model, Classifier)
        return accuracy_by_domain(model, domains, frozen)

    def _spec(self, step: Path, labels: Sequence[str]) -> dict[str, Any]:
        before = None if self._retention is RetentionStrategy.REHEARSAL else self._version
        return {
            "job_id": step.name,
            "attempt": 1,
            "kind": "classifier",
            "method": "continual" if before else "supervised",
            "base_model": BASE_MODEL,
            "warm_start_model": str(before) if before else None,
            "retention": self._retention.value,
            "dataset": str(step / "data"),
            "labels": list(labels),
            "output_dir": str(step / "model"),
            "checkpoint_dir": str(step / "checkpoints"),
            "seed": self._seed,
            "threads": torch.get_num_threads(),
            "config": self._config,
        }
