"""Whether the difficulty of held-out requests predicts the deployed model's errors.

CLINC150: the product's closed form on 20 rows of each of 150 intents, asked all test rows. BFCL: a
selector by the product's recipe on the old families' requests, asked the held-out ones of all
families. Difficulty is the evaluator's: by confidence, calibrated on other rows than its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from archon_contracts.formats import CaseResult
from archon_inference.catalogue import write_catalogue
from archon_inference.encoding.learnt_vectors import text_digest
from archon_inference.loading import load_predictor
from deploy.demo.bfcl import load_benchmark
from services.evaluator.metrics.difficulty import difficulty_auroc, difficulty_calibration_error
from services.evaluator.metrics.metric import Measurement
from services.trainer.closed_form.embedding import FEATURES
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from tests.benchmarks.bench_selector_recipe import train_selector
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import FrozenVectors, merge, read_domains
from tests.benchmarks.small_catalogue import limit_tools

SEEDS = (0, 1, 2)
TRAINED, TESTED, STRIDE = 20, 30, 1
CONFIG: dict[str, Any] = {}
TOOLS: int | None = None
TINY = {
    "SEEDS": (0,),
    "TRAINED": 2,
    "TESTED": 1,
    "STRIDE": 4,
    "CONFIG": {"max_steps": 2},
    "TOOLS": 24,
}


def run() -> list[Figure]:
    """Area under the ROC curve and calibration error on both, over the seeds."""
    ways: dict[str, Callable[[int], list[CaseResult]]] = {
        "CLINC150": _classifier_cases,
        "BFCL": _selector_cases,
    }
    found = list[Figure]()
    for name, answer in ways.items():
        areas, errors = list[float](), list[float]()
        for seed in SEEDS:
            cases = answer(seed)
            areas.append(_value(difficulty_auroc.measure(cases)))
            errors.append(_value(difficulty_calibration_error.measure(cases)))
            wrong = sum(not case.correct for case in cases)
            print(f"{name}, seed {seed}: {wrong} of {len(cases)} wrong, {areas[-1]}, {errors[-1]}")
        found += [
            median(f"{name}: AUROC of errors", areas, reach=0.70),
            median(f"{name}: calibration error", errors, reach=0.05, higher_is_better=False),
        ]
    return found


def _value(measured: Measurement) -> float:
    if measured.estimate is None:
        raise RuntimeError(measured.reason)
    return measured.estimate.value


def _classifier_cases(seed: int) -> list[CaseResult]:
    frozen, everything = FrozenVectors(FEATURES), merge("all", read_domains(seed, TRAINED))

    def embed(texts: list[str]) -> torch.Tensor:
        return torch.from_numpy(frozen.embed(texts))

    vectors = embed([text for text, _ in everything.train])
    items = [
        LearntItem(text_digest(text), intent, 1.0, vector)
        for (text, intent), vector in zip(everything.train, vectors, strict=True)
    ]
    state = ClosedFormState.empty(vectors.shape[1]).learn(items)
    labels = state.statistics.labels
    head = fit_head(embed_names(state, labels, embed), labels)
    tested = everything.test[:: max(1, 30 // TESTED)]
    best = head(embed([text for text, _ in tested])).softmax(1).max(1)
    return [
        _case(text, intent, labels[place], score)
        for (text, intent), place, score in zip(
            tested, best.indices.tolist(), best.values.tolist(), strict=True
        )
    ]


def _selector_cases(seed: int) -> list[CaseResult]:
    benchmark = limit_tools(load_benchmark(seed), TOOLS)
    held_out = benchmark.held_out[::STRIDE]
    rows = [{"id": i.id, "input": i.input, "target": i.target} for i in benchmark.initial]
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as name:
        root = Path(name)
        write_catalogue(root / "catalogue.json", benchmark.catalogue)
        settings = {"seed": seed, "threads": torch.get_num_threads(), "config": CONFIG}
        trained = train_selector(root, "initial", None, rows, settings)
        model = load_predictor(Path(trained["model_dir"]))
        answers = model.predict([item.input for item in held_out], k=1)
    return [
        _case(item.input, item.target, answer.output, answer.score)
        for item, answer in zip(held_out, answers, strict=True)
    ]


def _case(text: str, target: str, output: str, score: float) -> CaseResult:
    return CaseResult(
        id=text_digest(text),
        input=text,
        target=target,
        output=output,
        score=min(1.0, max(0.0, score)),
        correct=output == target,
    )
