"""10,000 items on a MiniLM classifier: a suite with all its metrics beside a bare forward loop.

The bare loop sorts the texts by length, tokenizes and forwards them in batches and takes the
argmax: what somebody writes who wants the answers and nothing else. Both run in turn on one model.
"""

from __future__ import annotations

import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.suites.agents.model_agent import ModelAgent
from services.evaluator.suites.running import run_suite
from services.evaluator.suites.suite_model import Suite, SuiteCase
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import BASE_MODEL, FROZEN_LAYERS, MAXIMUM_TOKENS, read_domains
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE

ITEMS, ROUNDS, BATCH, THREADS = 10_000, 1, 64, 1
TINY = {"ITEMS": 60, "ROUNDS": 1}


def run() -> list[Figure]:
    """The ratio of both times, and how many items a second the suite answers."""
    torch.set_num_threads(THREADS)
    domains = read_domains(0, 100, suite=20)
    rows = [row for d in domains for row in (*d.train, *d.suite, *d.test)]
    rows = [rows[n % len(rows)] for n in range(ITEMS)]
    labels = tuple(sorted({intent for _, intent in rows}))
    suite = Suite(
        suite="throughput",
        cases=tuple(
            SuiteCase(id=str(n), input=text, target=intent) for n, (text, intent) in enumerate(rows)
        ),
        test_answers=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        model = _save_classifier(Path(folder), labels)
        agent = ModelAgent.load("model", model, threads=THREADS)
        classifier = Classifier.load(model, _card(labels))
        bare, whole = [], []
        for _ in range(ROUNDS):
            bare.append(_time_bare(classifier, [text for text, _ in rows]))
            started = time.perf_counter()
            run_suite(suite, agent, own_metrics(), digest="", has_classes=True)
            whole.append(time.perf_counter() - started)
    ratios = [ours / theirs for ours, theirs in zip(whole, bare, strict=True)]
    return [
        median("suite to bare loop", ratios, reach=1.1, higher_is_better=False),
        median("items per second", [ITEMS / seconds for seconds in whole], unit="1/s"),
    ]


def _card(labels: tuple[str, ...]) -> ModelCard:
    return ModelCard(
        kind="classifier",
        base_model=BASE_MODEL,
        max_length=MAXIMUM_TOKENS,
        frozen_layers=FROZEN_LAYERS,
        labels=labels,
    )


def _save_classifier(folder: Path, labels: tuple[str, ...]) -> Path:
    encoder = TextEncoder.load(resolve_base_model(BASE_MODEL, None), FROZEN_LAYERS)
    torch.manual_seed(0)
    head = nn.Linear(384, len(labels))
    Classifier(encoder, _card(labels), head).save(folder / "model")
    return folder / "model"


@torch.inference_mode()
def _time_bare(classifier: Classifier, texts: list[str]) -> float:
    started = time.perf_counter()
    ordered = iter(sorted(texts, key=len))
    while batch := list(islice(ordered, BATCH)):
        classifier.head(classifier.embed(batch)).argmax(dim=-1)
    return time.perf_counter() - started
