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
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from archon_contracts.metric_names import (
    SEARCH_FAILED,
    SEARCH_IMPORTANCE,
    SEARCH_PRUNED,
    SEARCH_SECONDS,
    SEARCH_TRIAL,
    SEARCH_TRIALS,
    SEARCHED,
    SEED_DEVIATION,
    SEED_TRAININGS,
    VALIDATION_ACCURACY,
)
from services.trainer.errors import RunInvalid, TrainingImpossible
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import EncoderConfig, TrainingRun

SEARCH_FOLDER: Final = "search"
CHOSEN_FILE: Final = "search.json"
STUDY_FILE: Final = "search-trials.log"
"""Each trial as it was begun, measured and ended, by Optuna's journal."""
FAILURE: Final = "failure"
"""Attribute of a trial: why no model came of it."""
MAXIMUM_TRIALS: Final = 30
"""Where a search names a time alone."""
MAXIMUM_SECONDS: Final = 3600.0
"""Where it names a number of trials alone."""
MINIMUM_FOR_IMPORTANCE: Final = 4
"""Different accuracies: fewer say nothing of what they come from."""
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
    if run.config.search_seconds or run.config.search_trials:
        found = search(run, fine_tune, report)
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
        try:
            repeated = fine_tune(_in_folder(again), lambda _: None)
        except TrainingImpossible:
            break  # a measurement that fails must not cost the model that is trained
        accuracies.append(repeated.metrics[VALIDATION_ACCURACY])
    shutil.rmtree(run.checkpoint_dir / SEARCH_FOLDER, ignore_errors=True)
    if len(accuracies) < 2:
        return {}
    return {
        SEED_TRAININGS: float(len(accuracies)),
        SEED_DEVIATION: statistics.stdev(accuracies),
    }


def search(
    run: TrainingRun[EncoderConfig], fine_tune: FineTune, report: Report = lambda _: None
) -> SearchResult:
    """Try settings within `search_seconds` or `search_trials`; what the request names stays.

    A resumed run goes on with what was chosen before: another rate would not fit its checkpoint.
    A search that was killed goes on with its trials; the one that ran is begun again. The sampler
    is seeded for each trial, so that both end alike; how many trials fit into a time depends on
    the machine.

    Raises:
        RunInvalid: every trial failed.
    """
    kept = run.checkpoint_dir / CHOSEN_FILE
    if kept.is_file():
        found = json.loads(kept.read_bytes())
    else:
        run.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        found = _search(run, fine_tune, report)
        staged = kept.with_suffix(".partial")
        staged.write_text(json.dumps(found))
        staged.replace(kept)
    return SearchResult(_with(run, found["chosen"]), found["metrics"])


def _search(run: TrainingRun[EncoderConfig], fine_tune: FineTune, report: Report) -> dict[str, Any]:
    study = _open_study(run)
    while (left := _seconds_left(run, study)) > 0 and _finished(study) < _most_trials(run):
        _run_trial(run, study, fine_tune, time.monotonic() + left)
        _report_trial(study, report)
    shutil.rmtree(run.checkpoint_dir / SEARCH_FOLDER, ignore_errors=True)
    states = [trial.state for trial in study.trials]
    complete, pruned = states.count(TrialState.COMPLETE), states.count(TrialState.PRUNED)
    failures = [trial.user_attrs[FAILURE] for trial in study.trials if FAILURE in trial.user_attrs]
    if failures and not complete and not pruned:
        raise RunInvalid(
            f"Each of the {len(failures)} trials of the search failed, the last one with: "
            f"{failures[-1]}; name a smaller learning_rate, or look at the items"
        )
    chosen = dict(study.best_params) if complete else {}
    return {
        "chosen": chosen,
        "metrics": {
            SEARCH_TRIALS: float(complete),
            SEARCH_PRUNED: float(pruned),
            SEARCH_FAILED: float(len(failures)),
            SEARCH_SECONDS: _seconds_of(study),
            **{f"{SEARCHED}{name}": float(value) for name, value in chosen.items()},
            **_importances(study),
        },
    }


def _open_study(run: TrainingRun[EncoderConfig]) -> optuna.Study:
    """The run's study, with each trial in a file as soon as it is known."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = run.checkpoint_dir / STUDY_FILE
    # Of a process that was killed while it wrote; a job's folder has one process at a time.
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    study = optuna.create_study(
        study_name=run.job_id,
        storage=JournalStorage(JournalFileBackend(str(path))),
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    if not study.trials:
        study.enqueue_trial(_own_values(run))
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _run_trial(
    run: TrainingRun[EncoderConfig], study: optuna.Study, fine_tune: FineTune, until: float
) -> None:
    """One trial more; a training that is impossible with its values counts as a failed one."""
    # By the number of those before it, which is the same after a resume.
    study.sampler = TPESampler(seed=run.seed + _finished(study), n_startup_trials=4)
    trial = study.ask()
    try:
        study.tell(trial, _try(run, trial, fine_tune, until))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except TrainingImpossible as error:
        trial.set_user_attr(FAILURE, str(error))
        study.tell(trial, state=TrialState.FAIL)


def _finished(study: optuna.Study) -> int:
    """Trials that count: those that a kill interrupted are begun again."""
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    return sum(each.state in done or FAILURE in each.user_attrs for each in study.trials)


def _most_trials(run: TrainingRun[EncoderConfig]) -> int:
    return run.config.search_trials or MAXIMUM_TRIALS


def _seconds_of(study: optuna.Study) -> float:
    """Of all trials but those that a kill interrupted: they end when the search is resumed, and the
    time in which nothing ran is no part of it."""
    return sum(
        each.duration.total_seconds()
        for each in study.trials
        if each.duration and (each.state is not TrialState.FAIL or FAILURE in each.user_attrs)
    )


def _seconds_left(run: TrainingRun[EncoderConfig], study: optuna.Study) -> float:
    """Of the time for the search; without one, as the number of trials needs."""
    if not run.config.search_seconds:
        return MAXIMUM_SECONDS - _seconds_of(study)
    return run.config.search_seconds - _seconds_of(study)


def _report_trial(study: optuna.Study, report: Report) -> None:
    """The newest trial as points of its own: `step` is its number among the run's trials."""
    trial = study.trials[-1]
    values = {f"{SEARCH_TRIAL}{name}": float(value) for name, value in trial.params.items()}
    if (accuracy := _last_accuracy(trial)) is not None:
        values[f"{SEARCH_TRIAL}accuracy"] = accuracy
    values[f"{SEARCH_TRIAL}is_pruned"] = float(trial.state is TrialState.PRUNED)
    report({"event": "metrics", "step": _finished(study), "epoch": None, "values": values})


def _last_accuracy(trial: FrozenTrial) -> float | None:
    """Of a trial that ended early, what it had reached; None: it was not measured."""
    if trial.state is TrialState.COMPLETE:
        return trial.value
    steps = trial.intermediate_values
    return steps[max(steps)] if steps else None


def _importances(study: optuna.Study) -> dict[str, float]:
    """How much of the accuracy's variation each setting explains; nothing for too few trials.

    Source: S. Watanabe, A. Bansal and F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces", IJCAI 2023.
    """
    # Those that ended early too: without them only good trials are left to be compared.
    measured = optuna.create_study(direction="maximize")
    for trial in study.trials:
        if (value := _last_accuracy(trial)) is not None and trial.params:
            measured.add_trial(
                create_trial(params=trial.params, distributions=trial.distributions, value=value)
            )
    if len({trial.value for trial in measured.trials}) < MINIMUM_FOR_IMPORTANCE:
        return {}
    with warnings.catch_warnings():
        # The evaluator is new to the library; the method is published, and only figures follow.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(measured, evaluator=evaluator)
    return {f"{SEARCH_IMPORTANCE}{name}": float(value) for name, value in found.items()}


def _try(
    run: TrainingRun[EncoderConfig], trial: optuna.Trial, fine_tune: FineTune, until: float
) -> float:
    """Accuracy on the validation items with the trial's values.

    Raises:
        TrialPruned: it lies below the others, or the time is over.
        TrainingImpossible: no model comes of these values.
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
