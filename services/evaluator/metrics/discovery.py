"""All metrics: those of this package, and those that other distributions name as entry points.

A distribution adds a metric in its `pyproject.toml`:

    [project.entry-points."archon.metrics"]
    politeness = "my_metrics.politeness:METRIC"
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from services.evaluator import metrics
from services.evaluator.errors import MetricInvalid
from services.evaluator.metrics.metric import Metric

ENTRY_POINT_GROUP: Final = "archon.metrics"


@cache
def own_metrics() -> Mapping[str, Metric]:
    """The metrics of this package: the `METRIC` of each module in a folder of a family.

    They need no entry point, so that a checkout that was changed after its installation has them.
    """
    found: dict[str, Metric] = {}
    for module in pkgutil.walk_packages(metrics.__path__, f"{metrics.__name__}."):
        if module.name.count(".") > metrics.__name__.count(".") + 1:
            metric: Metric = importlib.import_module(module.name).METRIC
            found[metric.name] = metric
    return MappingProxyType(found)


def find_metrics() -> Mapping[str, Metric]:
    """All metrics by name.

    Raises:
        MetricInvalid: an entry point cannot be loaded, is no `Metric`, or has a name that is taken.
    """
    found = dict(own_metrics())
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        place = f"Entry point {entry.name!r} ({entry.value}) of {ENTRY_POINT_GROUP}"
        try:
            metric = entry.load()
        except (ImportError, AttributeError) as error:
            raise MetricInvalid(
                f"{place} cannot be loaded: {error}; reinstall or remove its distribution."
            ) from error
        if not isinstance(metric, Metric):
            raise MetricInvalid(
                f"{place} is a {type(metric).__name__}; it must be a "
                f"{Metric.__module__}.{Metric.__name__}."
            )
        if metric.name in found and found[metric.name] is not metric:
            raise MetricInvalid(f"{place} is named {metric.name!r} as another metric; rename it.")
        found[metric.name] = metric
    return found
