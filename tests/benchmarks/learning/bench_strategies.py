"""Strategies against forgetting side by side: final accuracy, forgetting and time of each.

A small stream of CLINC150: five intents a step, few examples of each, in an order of the seed. All
strategies get the same rows, and those that replay keep the same number of rows of each label. The
closed form and the rungs of the ladder are the product's recipe without services and gate; the
others are small reference implementations, here, in `rivals.py` and, on PEFT, in
`adapter_rivals.py`. What is scored are validation rows, by which strategies may be chosen: no other
benchmark reports them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from archon_contracts.values import RetentionStrategy
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.adapter_rivals import (
    OrthogonalSubspace,
    OrthogonalSubspaceReplay,
    RoutedAdapters,
)
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.clinc import (
    Domain,
    FrozenVectors,
    Row,
    StepAccuracies,
    forgetting,
    mean,
    merge,
    read_domains,
    regroup,
)
from tests.benchmarks.learning.own_recipe import OwnClassifier
from tests.benchmarks.learning.rivals import (
    RIVALS,
    FineTuned,
    LowerStates,
    Replay,
)

SEEDS, STEPS, INTENTS, PER_INTENT, SCORED = (10, 11, 12), 4, 5, 10, 20
EPOCHS = 4
OWN = ("closed form", *RetentionStrategy)
"""The product's: the closed form, and fine-tuning by each rung of the ladder."""
TINY = {
    "SEEDS": (10,),
    "STEPS": 2,
    "INTENTS": 2,
    "PER_INTENT": 2,
    "SCORED": 1,
    "EPOCHS": 1,
    "OWN": ("closed form",),
    "REFERENCES": (FineTuned,),
}
SKIPPED: Final = 20
"""First training rows of an intent, which other benchmarks report on."""


class Calibrated(Replay):
    """Plain replay whose head alone is fitted once more, on as many rows of each label.

    Source: Castro et al. 2018, End-to-End Incremental Learning, ECCV (balanced fine-tuning).
    """

    name = "plain replay, head calibrated"
    STEPS = 100

    def after_task(self, rows: Sequence[Row]) -> None:
        """Keep the task's rows, then fit the head to the balanced memory."""
        super().after_task(rows)
        self.upper.eval()
        with torch.no_grad():
            vectors_NH = self.upper(*self._states.batch([text for text, _ in self.memory]))
        wanted_N = torch.tensor([self._places[intent] for _, intent in self.memory])
        optimizer = torch.optim.AdamW(self.head.parameters(), lr=1e-2)
        for _ in range(self.STEPS):
            optimizer.zero_grad()
            logits_NL = self.head(vectors_NH)[:, : self.seen]
            cross_entropy(logits_NL, wanted_N).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


class MeanRows(Replay):
    """Plain replay whose head's rows of new labels begin as the means of their vectors.

    Source: Qi, Brown and Lowe 2018, Low-Shot Learning with Imprinted Weights, CVPR.
    """

    name = "plain replay, new rows from class means"

    @torch.no_grad()
    def task_rows(self, rows: Sequence[Row]) -> list[Row]:
        """Set the rows of the task's labels before the first step."""
        self.upper.eval()
        length = self.head.weight.norm(dim=1).mean()
        for label in dict.fromkeys(intent for _, intent in rows):
            texts = [text for text, intent in rows if intent == label]
            mean_H = self.upper(*self._states.batch(texts)).mean(0)
            self.head.weight[self._places[label]] = length * normalize(mean_H, dim=0)
        return super().task_rows(rows)


class Interpolated(Replay):
    """Plain replay, then half of the way from the weights before the task.

    Source: Wortsman et al. 2022, Robust Fine-Tuning of Zero-Shot Models (WiSE-FT), CVPR.
    """

    name = "plain replay, half of the way"
    FACTOR = 0.5

    def before_task(self, before: int) -> None:
        """Copy the weights; rows of new labels have nothing to go back to."""
        self._start = copy.deepcopy(self.upper.state_dict()) if before else None

    def after_task(self, rows: Sequence[Row]) -> None:
        """Go back half of the way, in the encoder."""
        super().after_task(rows)
        if self._start is not None:
            mixed = {
                name: torch.lerp(self._start[name], end, self.FACTOR)
                if end.is_floating_point()
                else end
                for name, end in self.upper.state_dict().items()
            }
            self.upper.load_state_dict(mixed)


class PulledBack(Replay):
    """Plain replay with a pull towards the weights before the task.

    Source: Li, Grandvalet and Davoine 2018, Explicit Inductive Bias (L2-SP), ICML.
    """

    name = "plain replay, L2-SP"
    STRENGTH = 0.1

    def before_task(self, before: int) -> None:
        """Copy the weights to be pulled to."""
        self._start_weights = [p.detach().clone() for p in self.upper.parameters()]

    def loss(
        self, texts: Sequence[str], logits_BL: torch.Tensor, wanted_B: torch.Tensor
    ) -> torch.Tensor:
        """With half the squared distance."""
        pairs = zip(self.upper.parameters(), self._start_weights, strict=True)
        pull = torch.stack([(p - start).square().sum() for p, start in pairs]).sum()
        return super().loss(texts, logits_BL, wanted_B) + self.STRENGTH / 2 * pull


class HeadOnly(Replay):
    """The base model's encoder; only the head is trained, on the task's rows and a memory."""

    name = "frozen encoder, replay in the head"

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.upper.requires_grad_(False)
        self._rate = 1e-2
        nn.init.zeros_(self.head.bias)


REFERENCES: tuple[type[FineTuned], ...] = (
    *RIVALS,
    PulledBack,
    Interpolated,
    Calibrated,
    MeanRows,
    HeadOnly,
    OrthogonalSubspace,
    OrthogonalSubspaceReplay,
    RoutedAdapters,
)


def run() -> list[Figure]:
    """Every strategy once per seed; figures are medians over the seeds."""
    found: dict[str, list[StepAccuracies]] = {}
    states, frozen = LowerStates(), FrozenVectors("layers")
    for seed in SEEDS:
        stream = read_stream(seed)
        for name, result in _learn(stream, seed, states, frozen):
            print(
                f"seed {seed}, {name}: {mean(result.history[-1]):.4f} final, "
                f"{mean(forgetting(result.history)):.4f} lost of the best, {result.seconds:.1f} s",
                flush=True,
            )
            found.setdefault(name, []).append(result)
    return [figure for name, results in found.items() for figure in _figures(name, results)]


def _figures(name: str, results: Sequence[StepAccuracies]) -> list[Figure]:
    final = [mean(result.history[-1]) for result in results]
    lost = [mean(forgetting(result.history)) for result in results]
    seconds = [result.seconds for result in results]
    return [
        median(f"{name}: final mean", final),
        median(f"{name}: forgetting, mean", lost, higher_is_better=False),
        median(f"{name}: time", seconds, unit="s", higher_is_better=False),
    ]


def read_stream(seed: int) -> list[Domain]:
    """The steps of the seed's order, scored on validation rows."""
    domains = read_domains(seed, PER_INTENT, suite=SCORED, test=0, skip=SKIPPED)
    steps = regroup(domains, INTENTS, seed)[:STEPS]
    return [replace(step, test=step.suite) for step in steps]


def _learn(
    stream: Sequence[Domain], seed: int, states: LowerStates, frozen: FrozenVectors
) -> Iterator[tuple[str, StepAccuracies]]:
    """All strategies on one stream."""
    for name in OWN:
        yield _own_name(name), _own(stream, seed, name, frozen)
    for reference in REFERENCES:
        model = reference(states, merge("all", stream).intents, seed, EPOCHS)
        yield reference.name, model.learn_stream(stream)


def _own_name(name: str) -> str:
    return f"ours, {name}" if name == "closed form" else f"ours, fine-tuned, {name}"


def _own(stream: Sequence[Domain], seed: int, name: str, frozen: FrozenVectors) -> StepAccuracies:
    fine_tuning = "never" if name == "closed form" else "always"
    retention = RetentionStrategy.STANDARD if name == "closed form" else RetentionStrategy(name)
    config = {"fine_tuning": fine_tuning, "epochs": EPOCHS}
    with OwnClassifier(seed, config, retention) as classifier:
        return classifier.learn_stream(stream, frozen, replay=True)
