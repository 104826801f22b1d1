"""77 intents of CLINC150 with five examples each: ours, fine-tuning, SetFit and closed form.

All get the same examples and are scored on the test rows of those intents. Fine-tuning is run with
4, 10 and 20 epochs; the best of them counts. SetFit is the package with its own head, measured
where it is installed (`pip install --no-deps -r tests/benchmarks/learning/requirements.txt`), with
`SETFIT_ITERATIONS` pairs of each kind per example: the paper's 20 take four times as long.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from sklearn.linear_model import LogisticRegression

from archon_inference.base_models import resolve_base_model
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    Domain,
    FrozenVectors,
    logistic_regression,
    mean,
    merge,
    plain_closed_form,
    read_domains,
)
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)
from tests.benchmarks.learning.own_recipe import OwnClassifier
from tests.benchmarks.learning.rivals import BATCH, FineTuned, LowerStates

SEEDS, INTENTS, PER_INTENT = (0, 1, 2), 77, 5
TEST_PER_INTENT: int | None = None
EPOCHS = (4, 10, 20)
SETFIT_ITERATIONS = 5
TINY = {
    "SEEDS": (0,),
    "INTENTS": 4,
    "TEST_PER_INTENT": 2,
    "EPOCHS": (1,),
    "SETFIT_ITERATIONS": 1,
}
OURS, SETFIT = "ours", "SetFit"


@dataclass(frozen=True, slots=True)
class FewShotResult:
    """What one method reached with one choice of intents."""

    accuracy: float
    seconds: float


def run() -> list[Figure]:
    """Every method once per seed; figures are medians over the seeds."""
    found: list[dict[str, FewShotResult]] = []
    pooled, layers, states = FrozenVectors(), FrozenVectors("layers"), LowerStates()
    for seed in SEEDS:
        chosen = _choose(seed)
        results: dict[str, FewShotResult] = {}
        for name, result in _learn(chosen, seed, pooled, layers, states):
            print(f"seed {seed}, {name}: {result.accuracy:.4f}, {result.seconds:.1f} s", flush=True)
            results[name] = result
        found.append(results)
    figures = []
    for name in found[0]:
        of_seeds = [each[name] for each in found]
        figures.append(median(f"{name}: accuracy", [r.accuracy for r in of_seeds]))
        seconds = [r.seconds for r in of_seeds]
        figures.append(median(f"{name}: time", seconds, unit="s", higher_is_better=False))
    return [
        *figures,
        median(
            "ours below the best other one",
            [max(r.accuracy for r in each.values()) - each[OURS].accuracy for each in found],
            reach=0.0,
            higher_is_better=False,
        ),
        median(
            "our time to that of the fastest fine-tuning",
            [each[OURS].seconds / min(_tuned_seconds(each)) for each in found],
            reach=0.5,
            higher_is_better=False,
        ),
    ]


def _tuned_seconds(results: dict[str, FewShotResult]) -> list[float]:
    return [r.seconds for name, r in results.items() if name.startswith(("fine-tuning", SETFIT))]


def _choose(seed: int) -> Domain:
    everything = merge("all", read_domains(seed, PER_INTENT, test=TEST_PER_INTENT))
    return everything.part("few", random.Random(seed).sample(sorted(everything.intents), INTENTS))


def _learn(
    chosen: Domain,
    seed: int,
    pooled: FrozenVectors,
    layers: FrozenVectors,
    states: LowerStates,
) -> Iterator[tuple[str, FewShotResult]]:
    """All methods on one choice of intents."""
    states.batch([text for text, _ in (*chosen.train, *chosen.test)])  # before any is timed
    layers.embed([text for text, _ in chosen.test])
    yield OURS, _ours(chosen, seed, layers)
    yield (
        "closed form (plain)",
        _timed(
            lambda: plain_closed_form(pooled, chosen.train, [chosen])[chosen.name], pooled, chosen
        ),
    )
    yield (
        "logistic regression",
        _timed(
            lambda: logistic_regression(pooled, chosen.train, [chosen])[chosen.name], pooled, chosen
        ),
    )
    for epochs in EPOCHS:
        model = FineTuned(states, chosen.intents, seed, epochs)
        model.learn(chosen.train, INTENTS)
        accuracy = mean(model.accuracy([chosen]))
        yield f"fine-tuning, {epochs} epochs", FewShotResult(accuracy, model.seconds)
    if find_spec("setfit") is None:
        print("SetFit is not installed: its row is missing", flush=True)
    else:
        yield SETFIT, _setfit(chosen, seed)


def _ours(chosen: Domain, seed: int, frozen: FrozenVectors) -> FewShotResult:
    with OwnClassifier(seed) as classifier:
        classifier.learn(chosen.train, chosen.intents)
        accuracy = mean(classifier.accuracy([chosen], frozen))
        return FewShotResult(accuracy, sum(classifier.seconds))


def _timed(fit: Callable[[], float], frozen: FrozenVectors, chosen: Domain) -> FewShotResult:
    """A fit on frozen vectors; its time is without embedding, which the cache has done."""
    frozen.embed([text for text, _ in (*chosen.train, *chosen.test)])
    began = time.perf_counter()
    return FewShotResult(fit(), time.perf_counter() - began)


def _setfit(chosen: Domain, seed: int) -> FewShotResult:
    """The package's trainer on the same encoder; test rows are answered after its time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own use of its libraries
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, models
        from setfit import SetFitModel, Trainer, TrainingArguments

        folder = str(resolve_base_model(BASE_MODEL, None))
        body = models.Transformer(folder)
        encoder = SentenceTransformer(
            modules=[body, models.Pooling(body.get_word_embedding_dimension())], device="cpu"
        )
        model = SetFitModel(
            model_body=encoder, model_head=LogisticRegression(max_iter=500), labels=chosen.intents
        )
        places = {intent: place for place, intent in enumerate(chosen.intents)}
        rows = {
            "text": [text for text, _ in chosen.train],
            "label": [places[intent] for _, intent in chosen.train],
        }
        arguments = TrainingArguments(
            batch_size=BATCH,
            num_epochs=1,
            num_iterations=SETFIT_ITERATIONS,
            seed=seed,
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(rows))
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
        answers = model.predict([text for text, _ in chosen.test], show_progress_bar=False)
    right = sum(str(a) == intent for a, (_, intent) in zip(answers, chosen.test, strict=True))
    return FewShotResult(right / len(chosen.test), seconds)
