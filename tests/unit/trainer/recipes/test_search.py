"""The search for hyper-parameters: what it tries, what it leaves, and what a resumed run does."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.metric_names import (
    SEARCH_IMPORTANCE,
    SEARCH_PRUNED,
    SEARCH_TRIAL,
    SEARCH_TRIALS,
    SEARCHED,
    SEED_DEVIATION,
    SEED_TRAININGS,
    VALIDATION_ACCURACY,
)
from services.trainer.child import run as run_child
from services.trainer.errors import NonFiniteLoss, RunInvalid, TrainingImpossible
from services.trainer.recipes import search as searching
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.recipe_table import read_run
from services.trainer.recipes.run import ClassifierConfig, TrainingRun
from services.trainer.recipes.search import fine_tune_within_time, search
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec

BEST_RATE = 1e-3


def a_run(root: Path, **config: Any) -> TrainingRun[ClassifierConfig]:
    """A classifier's run that asks for a search, with the recipe's values but for `config`."""
    spec = run_spec(root, root, kind="classifier")
    run: TrainingRun[ClassifierConfig] = read_run(
        spec | {"config": {"search_seconds": 60} | config}
    )
    return run


class FakeClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0


class FakeTraining:
    """Better the nearer the rate is to the best one; three epochs, each as good as the last."""

    def __init__(self) -> None:
        self.tried: list[TrainingRun[Any]] = []

    def __call__(self, run: TrainingRun[Any], report: Report) -> TrainResult:
        self.tried.append(run)
        accuracy = 1 - abs(math.log10(run.config.learning_rate / BEST_RATE))
        for epoch in (1, 2, 3):
            values = {VALIDATION_ACCURACY: accuracy}
            report({"event": "metrics", "step": epoch, "epoch": epoch, "values": values})
        return TrainResult(3, 0.1, {VALIDATION_ACCURACY: accuracy})


def test_the_best_values_are_chosen_and_never_worse_than_the_recipes_own(tmp_path: Path) -> None:
    run, training = a_run(tmp_path), FakeTraining()

    found = search(run, training)

    first, own = training.tried[0].config, run.config
    assert (first.learning_rate, first.class_balance) == (own.learning_rate, own.class_balance)
    error = abs(math.log10(found.run.config.learning_rate / BEST_RATE))
    assert error < 0.3 * abs(math.log10(own.learning_rate / BEST_RATE))
    assert found.metrics[f"{SEARCHED}learning_rate"] == found.run.config.learning_rate
    # Trials that lie below the others end early, and all are counted.
    assert found.metrics[SEARCH_PRUNED] > 0
    assert found.metrics[SEARCH_TRIALS] + found.metrics[SEARCH_PRUNED] == len(training.tried)


def test_equal_seeds_try_equal_values(tmp_path: Path) -> None:
    one, other = FakeTraining(), FakeTraining()

    search(a_run(tmp_path / "one"), one)
    search(a_run(tmp_path / "other"), other)

    assert [run.config for run in one.tried] == [run.config for run in other.tried]


def test_what_the_request_names_is_not_searched(tmp_path: Path) -> None:
    run, training = a_run(tmp_path, learning_rate=3e-4, epochs=2), FakeTraining()

    found = search(run, training)

    assert {each.config.learning_rate for each in training.tried} == {3e-4}
    assert {each.config.minimum_steps for each in training.tried} == {1}
    assert found.run.config.learning_rate == 3e-4


def test_trials_leave_the_runs_own_folders_alone(tmp_path: Path) -> None:
    run, training = a_run(tmp_path), FakeTraining()

    search(run, training)

    folders = {each.output_dir for each in training.tried}
    folders |= {each.checkpoint_dir for each in training.tried}
    assert not folders & {run.output_dir, run.checkpoint_dir}
    assert not (run.checkpoint_dir / searching.SEARCH_FOLDER).exists()


def _fail_on_call(_run: TrainingRun[Any], _report: Report) -> TrainResult:
    raise AssertionError("a resumed run must not search again")


def test_a_resumed_run_goes_on_with_what_was_chosen(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    before = search(run, FakeTraining())

    after = search(run, _fail_on_call)

    assert (after.run, dict(after.metrics)) == (before.run, dict(before.metrics))


def test_where_no_trial_ends_in_time_the_recipes_values_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Callable[[], float] = iter(range(0, 100_000, 100)).__next__
    monkeypatch.setattr(searching.time, "monotonic", clock)
    run = a_run(tmp_path)

    found = search(run, FakeTraining())

    assert found.run == run
    assert (found.metrics[SEARCH_TRIALS], found.metrics[SEARCH_PRUNED] > 0) == (0, True)


def test_a_training_that_asks_for_it_searches_first_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAXIMUM_TRIALS", 2)
    base = tiny_encoder(tmp_path / "base")
    spec = run_spec(tmp_path, base, kind="classifier", search_seconds=60, epochs=1)

    metrics = run_child(spec, lambda _: None)["metrics"]

    assert metrics[SEARCH_TRIALS] + metrics[SEARCH_PRUNED] == 2
    # Epochs and rate are named by the spec: the weights of classes are left to the search.
    assert {name for name in metrics if name.startswith(SEARCHED)} == {f"{SEARCHED}class_balance"}


class SeededTraining:
    """Whose accuracy depends on the seed alone; a training takes ten seconds."""

    def __init__(self, clock: FakeClock) -> None:
        self.seeds: list[int] = []
        self._clock = clock

    def __call__(self, run: TrainingRun[Any], _report: Report) -> TrainResult:
        self.seeds.append(run.seed)
        self._clock.seconds += 10
        return TrainResult(3, 0.1, {VALIDATION_ACCURACY: 0.8 + 0.02 * (run.seed % 2)})


@pytest.mark.parametrize(("seconds", "trainings"), [(0, 1), (9, 1), (10, 2), (25, 3), (999, 5)])
def test_a_fine_tuning_is_repeated_with_other_seeds_while_the_time_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, trainings: int
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(searching.time, "monotonic", lambda: clock.seconds)
    run = a_run(tmp_path, search_seconds=0, repeat_seconds=seconds)
    training = SeededTraining(clock)

    metrics = fine_tune_within_time(run, lambda _: None, training).metrics

    assert training.seeds == [run.seed + n for n in range(trainings)]
    # The model is that of the run's own seed, and one accuracy says nothing of noise.
    assert metrics[VALIDATION_ACCURACY] == 0.8 + 0.02 * (run.seed % 2)
    assert metrics.get(SEED_TRAININGS) == (trainings if trainings > 1 else None)
    assert (SEED_DEVIATION in metrics) == (trainings > 1)
    assert metrics.get(SEED_DEVIATION, 1.0) > 0


def test_a_repeat_that_fails_costs_its_figure_and_not_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(searching.time, "monotonic", lambda: clock.seconds)
    run = a_run(tmp_path, search_seconds=0, repeat_seconds=999)
    seeded = SeededTraining(clock)

    def fails_at_the_third(run: TrainingRun[Any], report: Report) -> TrainResult:
        if len(seeded.seeds) == 2:
            raise TrainingImpossible("the loss is not finite")
        return seeded(run, report)

    metrics = fine_tune_within_time(run, lambda _: None, fails_at_the_third).metrics

    assert metrics[SEED_TRAININGS] == 2


class KilledTraining(FakeTraining):
    """Dies in one of its trainings, as by kill -9."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def __call__(self, run: TrainingRun[Any], report: Report) -> TrainResult:
        if len(self.tried) + 1 == self._at:
            raise KeyboardInterrupt
        return super().__call__(run, report)


def test_a_killed_search_loses_no_trial_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, killed, after = FakeTraining(), KilledTraining(at=6), FakeTraining()
    limits = {"search_seconds": 0, "search_trials": 12}
    expected = search(a_run(tmp_path / "whole", **limits), whole)

    with pytest.raises(KeyboardInterrupt):
        search(a_run(tmp_path / "killed", **limits), killed)
    found = search(a_run(tmp_path / "killed", **limits), after)

    assert len(after.tried) == 12 - 5  # the sixth was begun, and is tried again
    tried = [*killed.tried, *after.tried]
    assert [each.config for each in tried] == [each.config for each in whole.tried]
    assert found.run.config == expected.run.config


def test_each_trial_is_reported_with_its_values(tmp_path: Path) -> None:
    reports: list[dict[str, Any]] = []

    found = search(a_run(tmp_path, search_trials=8), FakeTraining(), reports.append)

    assert [each["step"] for each in reports] == list(range(1, 9))
    best = max(reports, key=lambda each: each["values"].get(f"{SEARCH_TRIAL}accuracy", -9))
    assert best["values"][f"{SEARCH_TRIAL}learning_rate"] == found.run.config.learning_rate


def test_the_setting_that_matters_is_the_important_one(tmp_path: Path) -> None:
    metrics = search(a_run(tmp_path, search_trials=20), FakeTraining()).metrics

    importance = {
        name.removeprefix(SEARCH_IMPORTANCE): value
        for name, value in metrics.items()
        if name.startswith(SEARCH_IMPORTANCE)
    }
    assert max(importance, key=lambda name: importance[name]) == "learning_rate"


def test_a_search_whose_every_trial_fails_says_why(tmp_path: Path) -> None:
    def diverge(_run: TrainingRun[Any], _report: Report) -> TrainResult:
        raise NonFiniteLoss("The loss of step 3 is nan")

    with pytest.raises(RunInvalid, match=r"Each of the 3 trials .* step 3 is nan; name a smaller"):
        search(a_run(tmp_path, search_trials=3), diverge)
