"""20 trials of the trainer's search beside 20 of random search, on few rows of CLINC150.

Both look for the rate, the number of steps and the balance of the labels of a linear head on frozen
vectors, by accuracy on validation rows; the recipe's own values are the first trial of both. Of the
trainer's it is the very search of a fine-tuning, whose trainings are those of the head here: 120
fine-tunings of the encoder would take hours. Each search of a seed is run again in a process that
is killed by SIGKILL amid a trial, and then resumed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import optuna
import torch
from optuna.samplers import RandomSampler
from torch.nn import functional

from archon_contracts.metric_names import VALIDATION_ACCURACY
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.recipe_table import read_run
from services.trainer.recipes.run import ClassifierConfig, EncoderConfig, TrainingRun
from services.trainer.recipes.search import RATE_FACTORS, STEP_CHOICES, SearchResult, search
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    Domain,
    FrozenVectors,
    Row,
    merge,
    read_domains,
    regroup,
    unit,
)
from tests.benchmarks.learning.clinc import (
    DATA_FILE as DATA_FILE,
)

SEEDS = (0, 1, 2)
TRIALS, INTENTS, PER_INTENT, VALIDATION, TEST = 20, 30, 3, 10, 10
KILLED_IN = 8
TINY = {"SEEDS": (0,), "TRIALS": 4, "INTENTS": 3, "VALIDATION": 2, "TEST": 2, "KILLED_IN": 2}
HEAD_RATE: Final = 100.0
"""Factor of an encoder's rates: a head alone, from zero, needs larger ones."""
LOOKS: Final = 5
"""Validations of a training, which the pruning needs."""


@dataclass
class HeadTrainings:
    """Trains heads on these vectors; keeps what each training reached."""

    split: dict[str, tuple[torch.Tensor, torch.Tensor]]
    validation: list[float] = field(default_factory=list)
    begun: int = 0
    killed_in: int | None = None

    def __call__(self, run: TrainingRun[Any], report: Report) -> TrainResult:
        """One training; a pruned one ends by the exception of `report`."""
        self.begun += 1
        config = run.config
        weight = self.fit(config, lambda step, accuracy: self._look(report, step, accuracy))
        self.validation.append(self.accuracy(weight, "suite"))
        return TrainResult(config.minimum_steps, 0.0, {VALIDATION_ACCURACY: self.validation[-1]})

    def _look(self, report: Report, step: int, accuracy: float) -> None:
        values = {VALIDATION_ACCURACY: accuracy}
        report({"event": "metrics", "step": step, "epoch": step, "values": values})
        if self.begun == self.killed_in:
            os.kill(os.getpid(), signal.SIGKILL)

    def fit(
        self, config: EncoderConfig, look: Callable[[int, float], None] = lambda *_: None
    ) -> torch.Tensor:
        """The weights of a head, from zero."""
        vectors, labels = self.split["train"]
        counts = torch.bincount(labels).float()
        weights = counts[labels] ** -config.class_balance
        head = torch.zeros(len(counts), vectors.shape[1], requires_grad=True)
        optimizer = torch.optim.AdamW([head], lr=HEAD_RATE * config.learning_rate)
        for step in range(1, config.minimum_steps + 1):
            losses = functional.cross_entropy(vectors @ head.T, labels, reduction="none")
            optimizer.zero_grad()
            ((losses * weights).sum() / weights.sum()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % (config.minimum_steps // LOOKS) == 0:
                look(step * LOOKS // config.minimum_steps, self.accuracy(head, "suite"))
        return head.detach()

    def accuracy(self, head: torch.Tensor, name: str) -> float:
        """On the rows of that name."""
        vectors, labels = self.split[name]
        return float(((vectors @ head.T).argmax(1) == labels).float().mean())


def run() -> list[Figure]:
    """Figures are means over the seeds."""
    vectors = FrozenVectors()
    found = [_measure(seed, _split(seed, vectors)) for seed in SEEDS]
    points = {name: [100 * each[name] for each in found] for name in found[0]}
    gain = [a - b for a, b in zip(points["search"], points["random"], strict=True)]
    return [
        *[
            Figure(name=f"{name}: best validation", figure=statistics.fmean(points[name]), unit="%")
            for name in ("search", "random")
        ],
        Figure(
            name="search above random, best validation",
            figure=statistics.fmean(gain),
            unit="points",
            reach=0.0,
        ),
        *[
            Figure(
                name=f"{name}: test rows",
                figure=statistics.fmean(points[f"{name}, test"]),
                unit="%",
            )
            for name in ("search", "random")
        ],
        Figure(
            name="trials lost or run twice by kill -9, at most",
            figure=max(abs(each["trials lost"]) for each in found),
            unit="trials",
            reach=0.0,
            higher_is_better=False,
        ),
        Figure(
            name="resumed searches that chose other values",
            figure=sum(each["chose other"] for each in found),
            unit="searches",
            reach=0.0,
            higher_is_better=False,
        ),
    ]


def _split(seed: int, frozen: FrozenVectors) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Vectors and labels; of each second intent one training row alone, so that labels differ."""
    domains = read_domains(seed, PER_INTENT, suite=VALIDATION, test=TEST)
    chosen: Domain = merge("chosen", regroup(domains, INTENTS, seed)[:1])
    rare = set(chosen.intents[::2])
    train: list[Row] = []
    for row in chosen.train:
        if row[1] not in rare or row[1] not in {intent for _, intent in train}:
            train.append(row)
    places = {intent: place for place, intent in enumerate(chosen.intents)}

    def of(rows: list[Row]) -> tuple[torch.Tensor, torch.Tensor]:
        vectors = unit(frozen.embed([text for text, _ in rows]))
        return torch.from_numpy(vectors), torch.tensor([places[intent] for _, intent in rows])

    return {"train": of(train), "suite": of(list(chosen.suite)), "test": of(list(chosen.test))}


def _measure(seed: int, split: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        whole, resumed = HeadTrainings(split), HeadTrainings(split)
        found = search(_read_run(Path(temporary) / "whole", seed), whole)
        killed = _read_run(Path(temporary) / "killed", seed)
        process = multiprocessing.get_context("fork").Process(
            target=_search_and_die, args=(killed, split)
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, process.exitcode
        again = search(killed, resumed)
    best, value = _search_randomly(killed.config, seed, HeadTrainings(split))
    heads = HeadTrainings(split)
    accuracies = {
        "search": max(whole.validation),
        "random": value,
        "search, test": heads.accuracy(heads.fit(found.run.config), "test"),
        "random, test": heads.accuracy(heads.fit(best), "test"),
        # Those before the kill, and the one amid which it came, were begun by the other process.
        "trials lost": float(TRIALS - (KILLED_IN - 1) - resumed.begun),
        "chose other": float(_values(again) != _values(found)),
    }
    print(f"seed {seed}: {accuracies}, {dict(found.metrics)}", flush=True)
    return accuracies


def _values(found: SearchResult) -> dict[str, Any]:
    return found.run.config.model_dump()


def _search_and_die(
    run: TrainingRun[EncoderConfig], split: dict[str, tuple[torch.Tensor, torch.Tensor]]
) -> None:
    search(run, HeadTrainings(split, killed_in=KILLED_IN))


def _read_run(root: Path, seed: int) -> TrainingRun[ClassifierConfig]:
    run: TrainingRun[ClassifierConfig] = read_run(
        {
            "job_id": f"search-{seed}",
            "attempt": 1,
            "kind": "classifier",
            "method": "supervised",
            "base_model": BASE_MODEL,
            "dataset": str(root / "dataset"),
            "output_dir": str(root / "model"),
            "checkpoint_dir": str(root / "checkpoints"),
            "seed": seed,
            "config": {"search_trials": TRIALS},
        }
    )
    return run


def _search_randomly(
    config: EncoderConfig, seed: int, trainings: HeadTrainings
) -> tuple[EncoderConfig, float]:
    """The best of as many trials over the same values, none of which ends early."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=seed))
    study.enqueue_trial(_own_values(config))

    def objective(trial: optuna.Trial) -> float:
        least, most = (factor * config.learning_rate for factor in RATE_FACTORS)
        values = {
            "learning_rate": trial.suggest_float("learning_rate", least, most, log=True),
            "minimum_steps": trial.suggest_categorical("minimum_steps", STEP_CHOICES),
            "class_balance": trial.suggest_float("class_balance", 0.0, 1.0),
        }
        return trainings.accuracy(trainings.fit(config.model_copy(update=values)), "suite")

    study.optimize(objective, n_trials=TRIALS)
    return config.model_copy(update=study.best_params), study.best_value


def _own_values(config: EncoderConfig) -> dict[str, float]:
    """As the search's first trial."""
    steps = max((n for n in STEP_CHOICES if n <= config.minimum_steps), default=STEP_CHOICES[0])
    return {
        "learning_rate": config.learning_rate,
        "minimum_steps": steps,
        "class_balance": config.class_balance,
    }
