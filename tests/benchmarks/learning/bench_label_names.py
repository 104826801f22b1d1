"""Names of labels in the closed form: good names, codes, names of other labels, and half of each.

CLINC150's validation rows, and training rows that no other benchmark reports: the weight of a name
was chosen on them (decision 99). A code or another label's name must cost nothing.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence

import torch

from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import Domain, FrozenVectors, merge, read_domains

SEEDS, INTENTS, EXAMPLES, SCORED = (20, 21, 22), 77, (1, 2, 5, 20), 15
TINY = {"SEEDS": (20,), "INTENTS": 4, "EXAMPLES": (1,), "SCORED": 2}
SKIPPED = 20
"""First training rows of an intent, which other benchmarks report on."""
Naming = Callable[[Sequence[str]], dict[str, str]]


def _codes(labels: Sequence[str]) -> dict[str, str]:
    return {label: f"C{place:03d}" for place, label in enumerate(labels)}


def _exchanged(labels: Sequence[str]) -> dict[str, str]:
    return dict(zip(labels, random.Random(1).sample(labels, len(labels)), strict=True))


def _half_codes(labels: Sequence[str]) -> dict[str, str]:
    return {
        label: label if place % 2 else code
        for place, (label, code) in enumerate(_codes(labels).items())
    }


WAYS: dict[str, Naming | None] = {
    "without names": None,
    "names": lambda labels: {label: label for label in labels},
    "codes as names": _codes,
    "names of other labels": _exchanged,
    "every second a code": _half_codes,
}


def run() -> list[Figure]:
    """Mean accuracy over the seeds, by examples of an intent and by what labels are named."""
    frozen, found = FrozenVectors("layers"), dict[str, list[float]]()
    for count in EXAMPLES:
        for seed in SEEDS:
            everything = merge("all", read_domains(seed, count, suite=SCORED, skip=SKIPPED))
            intents = random.Random(seed).sample(sorted(everything.intents), INTENTS)
            chosen = everything.part("chosen", intents)
            for name, naming in WAYS.items():
                key = f"{count} examples, {name}"
                found.setdefault(key, []).append(_measure(frozen, chosen, naming))
    return [
        Figure(name=name, figure=statistics.fmean(values), unit="")
        for name, values in found.items()
    ]


def _measure(frozen: FrozenVectors, chosen: Domain, naming: Naming | None) -> float:
    """Accuracy on the validation rows of the head that is fitted to the training rows."""
    intents = sorted(chosen.intents)
    name_of = naming(intents) if naming else {intent: intent for intent in intents}

    def embed(texts: list[str]) -> torch.Tensor:
        return torch.from_numpy(frozen.embed(texts))

    vectors_NH = embed([text for text, _ in chosen.train])
    items = [
        LearntItem(text_digest(text), name_of[intent], 1.0, vector_H)
        for (text, intent), vector_H in zip(chosen.train, vectors_NH, strict=True)
    ]
    state = ClosedFormState.empty(vectors_NH.shape[1]).learn(items)
    labels = state.statistics.labels
    if naming:
        state = embed_names(state, labels, embed)
    head = fit_head(state, labels)
    places = head(embed([text for text, _ in chosen.suite])).argmax(1).tolist()
    return statistics.fmean(
        labels[place] == name_of[intent]
        for place, (_, intent) in zip(places, chosen.suite, strict=True)
    )
