"""Counters that begin with 0: an alert on their increase sees the first event too."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.metrics import Counter, Meter

_counters: list[tuple[Counter, tuple[Mapping[str, str], ...]]] = []


def counter_from_zero(meter: Meter, name: str, unit: str, *series: Mapping[str, str]) -> Counter:
    """A counter with these series, or one without labels, from `begin_counters` on."""
    made = meter.create_counter(name, unit=unit)
    _counters.append((made, series or ({},)))
    return made


def begin_counters() -> None:
    """Give each counter its series; what is counted before the SDK is set up is not kept."""
    for counter, series in _counters:
        for labels in series:
            counter.add(0, dict(labels))
