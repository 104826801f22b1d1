"""The trials of a search for hyper-parameters, from the points that its training reported: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.metric_names import SEARCH, SEARCH_IMPORTANCE, SEARCH_TRIAL, SEARCHED, SEEDS
from services.gateway.views.metrics import MetricSample

NOT_CURVES: Final = (SEARCH, SEEDS)
"""Begin the names of points whose step is no step of a training, or that are one value."""
TRIALS_SHOWN: Final = 50
SETTINGS_SHOWN: Final = 12
ACCURACY, IS_PRUNED = "accuracy", "is_pruned"


@dataclass(frozen=True, slots=True)
class TriedSettings:
    """One trial: its number, its values in the order of the settings, and what it reached."""

    number: int
    values: tuple[float | None, ...]
    accuracy: float | None
    ended_early: bool


@dataclass(frozen=True, slots=True)
class SearchTrials:
    """The search of a job, its best trials first."""

    settings: tuple[str, ...]
    importances: tuple[float | None, ...]
    chosen: tuple[float | None, ...]
    trials: tuple[TriedSettings, ...]
    count: int


def without_search(points: Sequence[MetricSample]) -> list[MetricSample]:
    """The points that are curves."""
    return [point for point in points if not point.name.startswith(NOT_CURVES)]


def list_trials(points: Sequence[MetricSample]) -> SearchTrials | None:
    """The trials with what each setting matters; None: the training searched nothing.

    An attempt goes on with the trials of the one before and reports its own alone; what two report
    is the newer one's.
    """
    tried: defaultdict[int, dict[str, float]] = defaultdict(dict)
    singles: dict[str, float] = {}
    for point in sorted(points, key=lambda each: each.attempt):
        if point.name.startswith(SEARCH_TRIAL):
            tried[point.step][point.name.removeprefix(SEARCH_TRIAL)] = point.value
        elif point.name.startswith(SEARCH):
            singles[point.name] = point.value
    if not tried:
        return None
    names = {name for values in tried.values() for name in values} - {ACCURACY, IS_PRUNED}
    settings = tuple(
        sorted(names, key=lambda name: (-singles.get(SEARCH_IMPORTANCE + name, 0.0), name))
    )[:SETTINGS_SHOWN]
    trials = [
        TriedSettings(
            number=number,
            values=tuple(values.get(name) for name in settings),
            accuracy=values.get(ACCURACY),
            ended_early=bool(values.get(IS_PRUNED)),
        )
        for number, values in tried.items()
    ]
    trials.sort(key=lambda each: (each.accuracy is None, -(each.accuracy or 0.0), each.number))
    return SearchTrials(
        settings=settings,
        importances=tuple(singles.get(SEARCH_IMPORTANCE + name) for name in settings),
        chosen=tuple(singles.get(SEARCHED + name) for name in settings),
        trials=tuple(trials[:TRIALS_SHOWN]),
        count=len(trials),
    )
