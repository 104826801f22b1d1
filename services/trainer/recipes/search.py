"""Search of hyper-parameters before a fine-tuning, and repeats of it with other seeds after it.

The search is for hyper-parameters, by accuracy on the validation items.

It is for few items, whose best rate and number of steps no default knows; each trial is a training
of its own. The sampler is a tree-structured Parzen estimator (Bergstra et al. 2011), and a trial
below the median of the others at the same epoch ends early (Golovin et al. 2017, as in Optuna).
The recipe's own values are the first trial, so that what is chosen is not worse on these items.
What is chosen has seen the validation items; the gate decides on others.

Repeats differ by their seed alone. How far their accuracy varies is the noise floor of the gate
(X. Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021).

optuna is imported here, so only child processes may import this module.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import optuna

from archon_contracts.metric_names import (
    SEARCH_PRUNED,
    SEARCH_SECONDS,
    SEARCH_TRIALS,
    SEARCHED,
    SEED_DEVIATION,
    SEED_TRAININGS,
    VALIDATION_ACCURACY,
)
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import EncoderConfig, TrainingRun

SEARCH_FOLDER: Final = "search"
CHOSEN_FILE: Final = "search.json"
MAXIMUM_TRIALS: Final = 30
MAXIMUM_REPEATS: Final = 4
STEP_CHOICES: Final = (30, 60, 120, 240)
RATE_FACTORS: Final = (0.1, 4.0)
"""Bounds of the learning rate, as factors of the recipe's."""

FineTune = Callable[[TrainingRun[Any], Report], TrainResult]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The run with what was chosen, and what of the search is published."""

    run: TrainingRun[EncoderConfig]
    metrics: Mapping[str, float]


def fine_tune_within_time(
    run: TrainingRun[EncoderConfig], report: Report, fine_tune: FineTune
) -> TrainResult:
    """Search, train, and repeat, as far as the run asks for it; the model is in its folder."""
    metrics: Mapping[str, float] = {}
    if run.config.search_seconds:
        found = search(run, fine_tune)
        run, metrics = found.run, found.metrics
    began = time.monotonic()
    result = fine_tune(run, report)
    noise = measure_seed_noise(run, fine_tune, result, seconds=time.monotonic() - began)
    result.metrics.update({**metrics, **noise})
    return result


def measure_seed_noise(
    run: TrainingRun[EncoderConfig], fine_tune: FineTune, result: TrainResult, *, seconds: float
) -> dict[str, float]:
    """How far the accuracy varies with the seed; nothing where no repeat fits into the time.

    `seconds` is what one training takes: a repeat that would not end in time is not begun.
    """
    until = time.monotonic() + run.config.repeat_seconds
    accuracies = [result.metrics[VALIDATION_ACCURACY]]
    while len(accuracies) <= MAXIMUM_REPEATS and time.monotonic() + seconds <= until:
        again = run.model_copy(update={"seed": run.seed + len(accuracies)})
        accuracies.append(fine_tune(_in_folder(again), lambda _: None).metrics[VALIDATION_ACCURACY])
    shutil.rmtree(run.checkpoint_dir / SEARCH_FOLDER, ignore_errors=True)
    if len(accuracies) < 2:
        return {}
    return {
        SEED_TRAININGS: float(len(accuracies)),
        SEED_DEVIATION: statistics.stdev(accuracies),
    }


def search(run: TrainingRun[EncoderConfig], fine_tune: FineTune) -> SearchResult:
    """Try settings for `search_seconds`; those that the request names stay as they are.

    A resumed run goes on with what was chosen before: another rate would not fit its checkpoint.
    The sampler is seeded; how many trials fit into the time depends on the machine.
    """
    kept = run.checkpoint_dir / CHOSEN_FILE
    if kept.is_file():
        found = json.loads(kept.read_bytes())
    else:
        found = _search(run, fine_tune)
        run.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        staged = kept.with_suffix(".partial")
        staged.write_text(json.dumps(found))
        staged.replace(kept)
    return SearchResult(_with(run, found["chosen"]), found["metrics"])


def _search(run: TrainingRun[EncoderConfig], fine_tune: FineTune) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    began = time.monotonic()
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=run.seed, n_startup_trials=4),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    study.enqueue_trial(_own_values(run))

    def objective(trial: optuna.Trial) -> float:
        return _try(run, trial, fine_tune, began + run.config.search_seconds)

    study.optimize(objective, n_trials=MAXIMUM_TRIALS, timeout=run.config.search_seconds)
    shutil.rmtree(run.checkpoint_dir / SEARCH_FOLDER, ignore_errors=True)
    states = [trial.state for trial in study.trials]
    complete = states.count(optuna.trial.TrialState.COMPLETE)
    chosen = dict(study.best_params) if complete else {}
    return {
        "chosen": chosen,
        "metrics": {
            SEARCH_TRIALS: float(complete),
            SEARCH_PRUNED: float(states.count(optuna.trial.TrialState.PRUNED)),
            SEARCH_SECONDS: time.monotonic() - began,
            **{f"{SEARCHED}{name}": float(value) for name, value in chosen.items()},
        },
    }


def _try(
    run: TrainingRun[EncoderConfig], trial: optuna.Trial, fine_tune: FineTune, until: float
) -> float:
    """Accuracy on the validation items with the trial's values.

    Raises:
        TrialPruned: it lies below the others, or the time is over.
    """

    def look(report: dict[str, object]) -> None:
        values = report.get("values")
        if not isinstance(values, Mapping) or VALIDATION_ACCURACY not in values:
            return
        trial.report(values[VALIDATION_ACCURACY], round(float(str(report["epoch"]))))
        if trial.should_prune() or time.monotonic() > until:
            raise optuna.TrialPruned

    tried = _in_folder(_with(run, _suggest(run, trial)))
    return fine_tune(tried, look).metrics[VALIDATION_ACCURACY]


def _in_folder(run: TrainingRun[EncoderConfig]) -> TrainingRun[EncoderConfig]:
    """The run in an empty folder of its own, below the checkpoints of the real one."""
    folder = run.checkpoint_dir / SEARCH_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    places = {"output_dir": folder / "model", "checkpoint_dir": folder / "checkpoints"}
    return run.model_copy(update=places)


def _own_values(run: TrainingRun[EncoderConfig]) -> dict[str, Any]:
    """The recipe's values; fewest steps where its number is none of the choices."""
    steps = max((n for n in STEP_CHOICES if n <= run.config.minimum_steps), default=STEP_CHOICES[0])
    return {
        "learning_rate": run.config.learning_rate,
        "minimum_steps": steps,
        "class_balance": run.config.class_balance,
    }


def _suggest(run: TrainingRun[EncoderConfig], trial: optuna.Trial) -> dict[str, Any]:
    least, most = (factor * run.config.learning_rate for factor in RATE_FACTORS)
    values: dict[str, Any] = {}
    if "learning_rate" not in run.named:
        values["learning_rate"] = trial.suggest_float("learning_rate", least, most, log=True)
    if not {"minimum_steps", "epochs", "max_steps"} & set(run.named):
        values["minimum_steps"] = trial.suggest_categorical("minimum_steps", STEP_CHOICES)
    if "class_balance" not in run.named:
        values["class_balance"] = trial.suggest_float("class_balance", 0.0, 1.0)
    return values


def _with(run: TrainingRun[EncoderConfig], values: Mapping[str, Any]) -> TrainingRun[EncoderConfig]:
    return run.model_copy(update={"config": run.config.model_copy(update=dict(values))})
