"""What a run used, what that is estimated to cost, and the energy that it is estimated to take."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from archon_contracts.metric_names import (
    COST,
    CPU_SECONDS,
    ENERGY,
    GPU_SECONDS,
    PEAK_MEMORY,
    WALL_SECONDS,
)

SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class ResourceRates:
    """Prices in any one currency, and power [W]: of a busy core, and of an accelerator."""

    core_hour: float = 0.0
    accelerator_hour: float = 0.0
    core_watts: float = 10.0
    accelerator_watts: float = 350.0


class ResourceMeter:
    """Begins with its making. Of one process, with the children that it has waited for."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu_seconds()

    def read(self, device: str, rates: ResourceRates) -> dict[str, float]:
        """The metrics of a run on the device until now.

        An accelerator counts for the whole run: nobody else may use it meanwhile.
        """
        wall, cpu = time.perf_counter() - self._wall, _cpu_seconds() - self._cpu
        accelerator = wall if device != "cpu" else 0.0
        energy_ws = cpu * rates.core_watts + accelerator * rates.accelerator_watts
        cost = cpu * rates.core_hour + accelerator * rates.accelerator_hour
        return {
            WALL_SECONDS: wall,
            CPU_SECONDS: cpu,
            GPU_SECONDS: accelerator,
            PEAK_MEMORY: peak_memory_mb(),
            ENERGY: energy_ws / SECONDS_PER_HOUR,
            COST: cost / SECONDS_PER_HOUR,
        }


def read_rates(spec: Mapping[str, Any]) -> ResourceRates:
    """The rates of a run's spec; the defaults where it names none."""
    return ResourceRates(**(spec.get("rates") or {}))


def peak_memory_mb() -> float:
    """Of this process since it began [MB]; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
