"""Fine-tuning on few and on uneven examples: steps, class weights, a contrastive phase.

What the recipe's defaults were chosen by: validation rows of CLINC150, and training rows that no
other benchmark reports, of one domain, whose intents are alike. `few` has three examples of each
intent. `uneven` has many of a third of them and few of the others; its validation rows are even, so
that accuracy is balanced accuracy. The contrastive phase is SetFit's idea (Tunstall et al. 2022)
with a supervised contrastive loss (Khosla et al. 2020): texts of one intent are pulled together
before the closed-form head is fitted.
"""

from __future__ import annotations

import copy
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.closed_form.embedding import FEATURES
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.clinc import (
    MAXIMUM_TOKENS,
    Domain,
    FrozenVectors,
    Row,
    mean,
    read_domains,
)
from tests.benchmarks.learning.own_recipe import OwnClassifier
from tests.benchmarks.learning.rivals import LowerStates

SEEDS, FEW, MANY, RARE, SCORED = (20, 21, 22), 3, 24, 2, 20
INTENTS = 15
SKIPPED: Final = 40
"""First training rows of an intent, which other benchmarks report on or choose by."""
CONTRASTIVE_STEPS, CONTRASTIVE_RATE, TEMPERATURE = 60, 5e-5, 0.1
CLASSES_OF_A_BATCH: Final = 8
TUNED: Final = {"fine_tuning": "always"}
OWN: Mapping[str, Mapping[str, Any]] = {
    "closed form": {"fine_tuning": "never"},
    "fine-tuned, 4 epochs": {**TUNED, "epochs": 4},
    "fine-tuned, 60 steps": {**TUNED, "minimum_steps": 60},
    "fine-tuned, 120 steps": {**TUNED, "minimum_steps": 120},
}
BALANCED: Mapping[str, Mapping[str, Any]] = {
    "uneven, closed form": {"fine_tuning": "never"},
    "uneven, class balance 0": {**TUNED, "class_balance": 0.0},
    "uneven, class balance 0.5": {**TUNED, "class_balance": 0.5},
    "uneven, class balance 1": {**TUNED, "class_balance": 1.0},
}
TINY = {
    "SEEDS": (20,),
    "INTENTS": 2,
    "MANY": 4,
    "RARE": 2,
    "SCORED": 1,
    "CONTRASTIVE_STEPS": 1,
    "OWN": {"closed form": {"fine_tuning": "never"}},
    "BALANCED": {"uneven, class balance 1": {**TUNED, "class_balance": 1.0, "max_steps": 1}},
}


def run() -> list[Figure]:
    """Medians over the seeds: accuracy on validation rows, and time."""
    found: dict[str, list[tuple[float, float]]] = {}
    frozen, states = FrozenVectors(FEATURES), LowerStates()
    for seed in SEEDS:
        for name, result in _measure(seed, frozen, states):
            print(f"seed {seed}, {name}: {result[0]:.4f}, {result[1]:.1f} s", flush=True)
            found.setdefault(name, []).append(result)
    return [
        *(median(f"{name}: accuracy", [r[0] for r in results]) for name, results in found.items()),
        *(
            median(f"{name}: time", [r[1] for r in results], unit="s", higher_is_better=False)
            for name, results in found.items()
        ),
    ]


def _measure(
    seed: int, frozen: FrozenVectors, states: LowerStates
) -> Iterator[tuple[str, tuple[float, float]]]:
    few, uneven = _few(seed), _uneven(seed)
    for name, config in OWN.items():
        yield name, _own(few, seed, config, frozen)
    yield "contrastive phase, closed form", _contrastive(few, seed, states)
    for name, config in BALANCED.items():
        yield name, _own(uneven, seed, config, frozen)


def _few(seed: int) -> Domain:
    return _choose(seed, FEW)


def _uneven(seed: int) -> Domain:
    """Many rows of every third intent, few of the others."""
    chosen = _choose(seed, MANY)
    most = {intent: MANY if n % 3 == 0 else RARE for n, intent in enumerate(chosen.intents)}
    kept = list[Row]()
    for row in chosen.train:
        most[row[1]] -= 1
        if most[row[1]] >= 0:
            kept.append(row)
    return replace(chosen, train=tuple(kept))


def _choose(seed: int, rows: int) -> Domain:
    """One domain, whose intents are alike: the first in the seed's order."""
    domain = read_domains(seed, rows, suite=SCORED, test=0, skip=SKIPPED)[0]
    return replace(domain, test=domain.suite).part(domain.name, domain.intents[:INTENTS])


def _own(
    chosen: Domain, seed: int, config: Mapping[str, Any], frozen: FrozenVectors
) -> tuple[float, float]:
    with OwnClassifier(seed, config) as classifier:
        classifier.learn(chosen.train, chosen.intents)
        return mean(classifier.accuracy([chosen], frozen)), sum(classifier.seconds)


def _contrastive(chosen: Domain, seed: int, states: LowerStates) -> tuple[float, float]:
    """Draw the texts of an intent together, then fit the closed form to what became of them."""
    began = time.perf_counter()
    torch.manual_seed(seed)
    encoder = replace(states.encoder, upper=copy.deepcopy(states.encoder.upper))
    encoder.upper.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(encoder.upper.parameters(), lr=CONTRASTIVE_RATE)
    rng, by_intent = random.Random(seed), dict[str, list[str]]()
    for text, intent in chosen.train:
        by_intent.setdefault(intent, []).append(text)
    for _ in range(CONTRASTIVE_STEPS):
        intents = rng.sample(sorted(by_intent), min(CLASSES_OF_A_BATCH, len(by_intent)))
        texts = [text for intent in intents for text in rng.sample(by_intent[intent], 2)]
        vectors_BH = normalize(encoder.upper(*states.batch(texts)), dim=-1)
        optimizer.zero_grad()
        loss = supervised_contrastive(vectors_BH, torch.arange(len(intents)).repeat_interleave(2))
        torch.autograd.backward(loss)
        optimizer.step()
    encoder.upper.requires_grad_(False).train(False)
    vectors_NH = encoder.embed([text for text, _ in chosen.train], MAXIMUM_TOKENS, FEATURES)
    items = [
        LearntItem(text_digest(text), intent, 1.0, vector_H)
        for (text, intent), vector_H in zip(chosen.train, vectors_NH, strict=True)
    ]
    state = ClosedFormState.empty(vectors_NH.shape[1]).learn(items)
    labels = state.statistics.known(chosen.intents)
    state = embed_names(state, labels, lambda texts: encoder.embed(texts, MAXIMUM_TOKENS, FEATURES))
    head = fit_head(state, labels)
    seconds = time.perf_counter() - began
    tested_NH = encoder.embed([text for text, _ in chosen.test], MAXIMUM_TOKENS, FEATURES)
    answers = [labels[place] for place in head(tested_NH).argmax(1).tolist()]
    right = [a == intent for a, (_, intent) in zip(answers, chosen.test, strict=True)]
    return statistics.fmean(right), seconds


def supervised_contrastive(vectors_BH: Tensor, classes_B: Tensor) -> Tensor:
    """Mean negative log-probability of a text of the same class among the batch's others [nats]."""
    alike_BB = vectors_BH @ vectors_BH.T / TEMPERATURE
    itself_BB = torch.eye(len(classes_B), dtype=torch.bool)
    logs_BB = alike_BB.masked_fill(itself_BB, float("-inf")).log_softmax(1)
    pairs_BB = (classes_B[:, None] == classes_B[None]) & ~itself_BB
    return -logs_BB[pairs_BB].mean()
