"""Trials of a search for hyper-parameters."""

from services.gateway.dashboard.figures.trials import list_trials, without_search
from services.gateway.views.metrics import MetricSample


def sample(name: str, value: float, step: int = 1, attempt: int = 1) -> MetricSample:
    return MetricSample(name=name, value=value, step=step, attempt=attempt)


POINTS = [
    sample("train/loss", 1.0),
    sample("search/trial_learning_rate", 1e-4),
    sample("search/trial_epochs", 2.0),
    sample("search/trial_accuracy", 0.7),
    sample("search/trial_is_pruned", 1.0),
    sample("search/trial_learning_rate", 3e-4, step=2),
    sample("search/trial_accuracy", 0.8, step=2),
    sample("search/trial_learning_rate", 9.0, step=3),
    sample("search/importance_learning_rate", 0.9),
    sample("search/chosen_learning_rate", 3e-4),
    sample("seeds/trainings", 3.0),
]


def test_trials_come_best_first_with_what_each_setting_matters() -> None:
    found = list_trials(POINTS)

    assert found is not None
    assert found.settings == ("learning_rate", "epochs")
    assert found.importances == (0.9, None)
    assert found.chosen == (3e-4, None)
    assert [each.number for each in found.trials] == [2, 1, 3]
    assert [each.ended_early for each in found.trials] == [False, True, False]
    assert found.trials[0].values == (3e-4, None)


def test_a_training_without_a_search_has_none_and_trials_are_no_curves() -> None:
    assert list_trials([sample("train/loss", 1.0)]) is None
    assert [each.name for each in without_search(POINTS)] == ["train/loss"]


def test_trials_of_an_attempt_that_was_interrupted_stay() -> None:
    again = sample("search/trial_learning_rate", 0.5, step=4, attempt=2)
    measured = sample("search/trial_accuracy", 0.99, step=4, attempt=2)

    found = list_trials([again, measured, *POINTS])

    assert found is not None
    assert [each.number for each in found.trials] == [4, 2, 1, 3]
    assert (found.chosen, found.count) == ((3e-4, None), 4)
