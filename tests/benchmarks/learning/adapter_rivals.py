"""Continual fine-tuning by parameter-efficient methods of PEFT: rivals in the table of strategies.

Shape suffixes: B texts, H hidden units, L labels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

import torch
from peft import LoraConfig, OSFConfig, get_peft_model
from torch import Tensor
from torch.nn.functional import normalize

from tests.benchmarks.learning.clinc import Row
from tests.benchmarks.learning.rivals import LEARNING_RATE, FineTuned, Replay

LINEAR_LAYERS: Final = ["query", "key", "value", "dense"]
LORA_RANK, LORA_ALPHA = 16, 32
LORA_LEARNING_RATE: Final = 10 * LEARNING_RATE
"""Source of the factor: Schulman et al. 2025, LoRA Without Regret."""


class OrthogonalSubspace(FineTuned):
    """Each task moves the weights outside the largest singular directions of the last ones alone.

    PEFT's implementation and its default rank: half of each linear layer is kept. No replay.
    Source: Nayak et al. 2025, Sculpting Subspaces, arXiv 2504.07097.
    """

    name = "orthogonal subspace (OSF)"

    def before_task(self, before: int) -> None:
        """Split each linear layer into what is kept and what may move."""
        config = OSFConfig(target_modules=LINEAR_LAYERS)
        split: Any = get_peft_model(self.upper.shell, config)
        self.upper.shell = split

    def after_task(self, rows: Sequence[Row]) -> None:
        """Join both parts: the next task splits the result."""
        merged: Any = self.upper.shell
        self.upper.shell = merged.merge_and_unload()
        super().after_task(rows)


class OrthogonalSubspaceReplay(OrthogonalSubspace, Replay):
    """The same with as many replayed rows as every method with a memory."""

    name = "orthogonal subspace (OSF), replay"


class RoutedAdapters(FineTuned):
    """A LoRA adapter and head rows for each task; the nearest class mean of the base model routes.

    Source of adapters that a frozen encoder's class means choose: Wang et al. 2023, Rehearsal-free
    Continual Language Learning via Efficient Parameter Isolation (EPI), ACL.
    """

    name = "an adapter for each topic, routed"

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self._base = copy.deepcopy(self.upper).requires_grad_(False).eval()
        self._rate = LORA_LEARNING_RATE
        self._adapted: list[Any] = []
        self._task_of_label: list[int] = []
        self._means: list[Tensor] = []

    def before_task(self, before: int) -> None:
        """A fresh adapter on the base model."""
        self.upper = copy.deepcopy(self._base)
        config = LoraConfig(r=LORA_RANK, lora_alpha=LORA_ALPHA, target_modules=LINEAR_LAYERS)
        adapted: Any = get_peft_model(self.upper.shell, config)
        self.upper.shell = adapted
        self._adapted.append(self.upper)

    @torch.no_grad()
    def task_rows(self, rows: Sequence[Row]) -> list[Row]:
        """The means of the task's labels route to its adapter from now on."""
        for label in self.labels[len(self._means) : self.seen]:
            vectors_BH = self._base_vectors([text for text, intent in rows if intent == label])
            self._means.append(normalize(vectors_BH.mean(0), dim=0))
            self._task_of_label.append(len(self._adapted) - 1)
        return list(rows)

    def logits(self, texts: Sequence[str]) -> Tensor:
        """Scores of the labels of each text's task; while a task is learnt all texts are its."""
        if self.upper.training:
            return self._of_task(len(self._adapted) - 1, texts)
        nearest_B = (self._base_vectors(texts) @ torch.stack(self._means).T).argmax(1)
        tasks = [self._task_of_label[label] for label in nearest_B.tolist()]
        logits_BL = torch.empty(len(texts), self.seen)
        for task in set(tasks):
            places = [place for place, each in enumerate(tasks) if each == task]
            logits_BL[places] = self._of_task(task, [texts[place] for place in places])
        return logits_BL

    def _of_task(self, task: int, texts: Sequence[str]) -> Tensor:
        logits_BL: Tensor = self.head(self._adapted[task](*self._states.batch(texts)))
        others_L = torch.tensor([each != task for each in self._task_of_label])
        return logits_BL[:, : self.seen].masked_fill(others_L, float("-inf"))

    def _base_vectors(self, texts: Sequence[str]) -> Tensor:
        vectors_BH: Tensor = self._base(*self._states.batch(texts))
        return normalize(vectors_BH, dim=-1)
