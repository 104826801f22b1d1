"""Continual fine-tuning as in the literature: small reference implementations for comparison.

All train MiniLM's upper half and a linear head on the mean-pooled last layer with AdamW, as the
product's own fine-tuning does; the frozen lower half runs once per text for all of them. A class of
a later task is not among the answers before its task.

Shape suffixes: B texts, H hidden units, L labels.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, mse_loss, softmax

from archon_inference.base_models import resolve_base_model
from archon_inference.encoder import TextEncoder, length_batches, pad_states
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    FROZEN_LAYERS,
    MAXIMUM_TOKENS,
    Domain,
    Row,
    StepAccuracies,
    merge,
)

LEARNING_RATE: Final = 2e-4
BATCH: Final = 16
WARM_UP: Final = 0.1
MEMORY_PER_INTENT: Final = 5


def remember(rows: Sequence[Row]) -> list[Row]:
    """As many rows of each label as every method with a memory keeps."""
    labels = dict.fromkeys(intent for _, intent in rows)
    return [r for label in labels for r in [x for x in rows if x[1] == label][:MEMORY_PER_INTENT]]


class LowerStates:
    """What the frozen layers make of each text, computed once for all rivals."""

    def __init__(self) -> None:
        self.encoder = TextEncoder.load(resolve_base_model(BASE_MODEL, None), FROZEN_LAYERS)
        self._known: dict[str, Tensor] = {}

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Padded states and mask."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        ids = self.encoder.tokenize(missing, MAXIMUM_TOKENS)
        states = self.encoder.compute_frozen_states(ids)
        self._known.update(zip(missing, states, strict=True))
        return pad_states([self._known[text] for text in texts])


class FineTuned:
    """Naive fine-tuning on each task's rows; what the others are derived from."""

    name = "naive fine-tuning"

    def __init__(
        self,
        states: LowerStates,
        labels: Sequence[str],
        seed: int,
        epochs: int = 4,
        learning_rate: float = LEARNING_RATE,
    ) -> None:
        torch.manual_seed(seed)
        self._rng = random.Random(seed)
        self._states, self._epochs, self._rate = states, epochs, learning_rate
        self._places = {label: place for place, label in enumerate(labels)}
        self.labels = list(labels)
        self.upper = copy.deepcopy(states.encoder.upper).requires_grad_(True)
        self.head = nn.Linear(states.encoder.hidden_size, len(labels))
        self.seen = 0
        self.seconds = 0.0

    def learn(self, rows: Sequence[Row], known: int) -> None:
        """A task; the first `known` labels are answers from now on."""
        began = time.perf_counter()
        before, self.seen = self.seen, known
        self.before_task(before)
        self._fit(self.task_rows(rows))
        self.after_task(rows)
        self.seconds += time.perf_counter() - began

    def before_task(self, before: int) -> None:
        """So many labels were known before the task."""

    def task_rows(self, rows: Sequence[Row]) -> list[Row]:
        """What the task trains on."""
        return list(rows)

    def after_task(self, rows: Sequence[Row]) -> None:
        """The task's rows are learnt."""

    def loss(self, texts: Sequence[str], logits_BL: Tensor, wanted_B: Tensor) -> Tensor:
        """Of one batch."""
        return cross_entropy(logits_BL, wanted_B)

    def logits(self, texts: Sequence[str]) -> Tensor:
        """Scores of the labels that are known [B, L]."""
        logits_BL: Tensor = self.head(self.upper(*self._states.batch(texts)))
        return logits_BL[:, : self.seen]

    def learn_stream(self, stream: Sequence[Domain]) -> StepAccuracies:
        """One task after the other, each scored on all domains so far."""
        history = []
        for step, domain in enumerate(stream):
            known = stream[: step + 1]
            self.learn(domain.train, len(merge("known", known).intents))
            history.append(self.accuracy(known))
        return StepAccuracies(tuple(history), self.seconds)

    @torch.no_grad()
    def accuracy(self, domains: Sequence[Domain]) -> dict[str, float]:
        """By domain."""
        self.upper.eval()
        return {domain.name: self._right(domain.test) for domain in domains}

    def _right(self, rows: Sequence[Row]) -> float:
        right = 0
        for places in length_batches([len(text) for text, _ in rows]):
            answers = self.logits([rows[place][0] for place in places]).argmax(1).tolist()
            right += sum(
                self.labels[answer] == rows[place][1]
                for answer, place in zip(answers, places, strict=True)
            )
        return right / len(rows)

    def _fit(self, rows: Sequence[Row]) -> None:
        parameters = [*self.upper.parameters(), *self.head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=self._rate, weight_decay=0.01)
        total = self._epochs * math.ceil(len(rows) / BATCH)
        rising = max(1, math.ceil(WARM_UP * total))

        def rate(step: int) -> float:
            return min((step + 1) / rising, max(0.0, (total - step) / max(1, total - rising)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        self.upper.train()
        for _ in range(self._epochs):
            for batch in self._batches(rows):
                texts = [text for text, _ in batch]
                wanted_B = torch.tensor([self._places[intent] for _, intent in batch])
                optimizer.zero_grad(set_to_none=True)
                self.loss(texts, self.logits(texts), wanted_B).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                schedule.step()

    def _batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Batches of similar length in random order: little is padded."""
        mixed = self._rng.sample(list(rows), len(rows))
        group = BATCH * 16
        batches = []
        for start in range(0, len(mixed), group):
            part = sorted(mixed[start : start + group], key=lambda row: len(row[0]))
            batches += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
        self._rng.shuffle(batches)
        return batches


class Replay(FineTuned):
    """A few rows of each earlier label are trained on again with each task."""

    name = "plain replay"

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.memory: list[Row] = []

    def task_rows(self, rows: Sequence[Row]) -> list[Row]:
        """The task's rows and the memory."""
        return [*rows, *self.memory]

    def after_task(self, rows: Sequence[Row]) -> None:
        """Keep as many rows of each label."""
        self.memory += remember(rows)


class Ewc(FineTuned):
    """Elastic weight consolidation: Kirkpatrick et al. 2017, PNAS; one sum over all tasks."""

    name = "EWC"
    STRENGTH = 1000.0

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self._fisher = [torch.zeros_like(p) for p in self._shared()]
        self._start = [p.detach().clone() for p in self._shared()]

    def _shared(self) -> list[Tensor]:
        return [*self.upper.parameters(), *self.head.parameters()]

    def loss(self, texts: Sequence[str], logits_BL: Tensor, wanted_B: Tensor) -> Tensor:
        """With the quadratic penalty."""
        pull = sum(
            (fisher * (p - start).square()).sum()
            for fisher, p, start in zip(self._fisher, self._shared(), self._start, strict=True)
        )
        return cross_entropy(logits_BL, wanted_B) + self.STRENGTH / 2 * pull

    def after_task(self, rows: Sequence[Row]) -> None:
        """Add the task's Fisher information: squared gradients of the log likelihood."""
        self.upper.eval()
        for batch in self._batches(rows):
            self.upper.zero_grad()
            self.head.zero_grad()
            wanted_B = torch.tensor([self._places[intent] for _, intent in batch])
            cross_entropy(self.logits([text for text, _ in batch]), wanted_B).backward()  # type: ignore[no-untyped-call]
            for fisher, p in zip(self._fisher, self._shared(), strict=True):
                if p.grad is not None:
                    fisher += p.grad.square() * len(batch) / len(rows)
        self._start = [p.detach().clone() for p in self._shared()]


class Lwf(FineTuned):
    """Learning without forgetting: Li and Hoiem 2016, ECCV."""

    name = "LwF"
    TEMPERATURE = 2.0
    WEIGHT = 1.0

    def before_task(self, before: int) -> None:
        """Copy the model as it answers the earlier labels."""
        self._before = before
        self._teacher = copy.deepcopy((self.upper, self.head)) if before else None
        self._taught: dict[str, Tensor] = {}

    def loss(self, texts: Sequence[str], logits_BL: Tensor, wanted_B: Tensor) -> Tensor:
        """With the distance to the earlier answers to the same texts."""
        loss = cross_entropy(logits_BL, wanted_B)
        if self._teacher is None:
            return loss
        earlier_BL = self._answers_before(texts)
        distance = kl_div(
            log_softmax(logits_BL[:, : self._before] / self.TEMPERATURE, dim=-1),
            softmax(earlier_BL / self.TEMPERATURE, dim=-1),
            reduction="batchmean",
        )
        return loss + self.WEIGHT * self.TEMPERATURE**2 * distance

    @torch.no_grad()
    def _answers_before(self, texts: Sequence[str]) -> Tensor:
        assert self._teacher is not None, "the first task has no teacher"
        upper, head = self._teacher
        missing = [text for text in texts if text not in self._taught]
        if missing:
            upper.eval()
            logits_BL = head(upper(*self._states.batch(missing)))[:, : self._before]
            self._taught.update(zip(missing, logits_BL, strict=True))
        return torch.stack([self._taught[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Remembered:
    """A row of the memory, and what the model answered when it was learnt."""

    row: Row
    logits_L: Tensor


class DarkReplay(FineTuned):
    """DER++: Buzzega et al. 2020, NeurIPS; a batch of the memory beside each batch of the task."""

    name = "DER++"
    OF_LOGITS, OF_LABELS = 0.3, 0.5

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.memory: list[Remembered] = []

    def loss(self, texts: Sequence[str], logits_BL: Tensor, wanted_B: Tensor) -> Tensor:
        """With both losses of remembered rows, each of a batch of its own."""
        loss = cross_entropy(logits_BL, wanted_B)
        if not self.memory:
            return loss
        return loss + self.OF_LOGITS * self._dark_loss() + self.OF_LABELS * self._label_loss()

    def _sample(self) -> tuple[list[Remembered], Tensor]:
        sample = self._rng.sample(self.memory, min(BATCH, len(self.memory)))
        return sample, self.logits([each.row[0] for each in sample])

    def _dark_loss(self) -> Tensor:
        sample, logits_BL = self._sample()
        losses = [
            mse_loss(row_L[: len(each.logits_L)], each.logits_L)
            for each, row_L in zip(sample, logits_BL, strict=True)
        ]
        return torch.stack(losses).mean()

    def _label_loss(self) -> Tensor:
        sample, logits_BL = self._sample()
        return cross_entropy(logits_BL, torch.tensor([self._places[e.row[1]] for e in sample]))

    @torch.no_grad()
    def after_task(self, rows: Sequence[Row]) -> None:
        """Keep as many rows of each label as plain replay does."""
        self.upper.eval()
        for label in dict.fromkeys(intent for _, intent in rows):
            kept = [row for row in rows if row[1] == label][:MEMORY_PER_INTENT]
            logits_BL = self.logits([text for text, _ in kept])
            self.memory += [Remembered(*pair) for pair in zip(kept, logits_BL, strict=True)]


RIVALS: Final = (FineTuned, Replay, Ewc, Lwf, DarkReplay)
