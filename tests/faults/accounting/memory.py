"""Whether a service's memory grows: each process against itself, by its age.

Sizes of different services, or of a process that has just begun, say nothing about a leak. So a
process is watched from the age at which it has loaded what it needs, and the first half of what is
left of its life is compared with the second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

import psutil

SETTLED_SECONDS = 150.0  # a retrain or two are over, and what they need is loaded
WATCHED_SECONDS = 90.0  # of a settled life at least, to say anything
GROWTH_ALLOWED = 1.1


class Sizes:
    """Megabytes of each process of each service, by its age in seconds."""

    def __init__(self) -> None:
        self._lives: defaultdict[str, defaultdict[float, list[tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def record(self, service: str, begun: float, age: float, megabytes: float) -> None:
        """One look at the process that began at this time."""
        if age >= SETTLED_SECONDS:
            self._lives[service][begun].append((age, megabytes))

    def look(self, pids: Mapping[str, int | None], now: float) -> None:
        """Note every process that is alive."""
        for service, pid in pids.items():
            if pid is None:
                continue
            try:
                process = psutil.Process(pid)
                begun, size = process.create_time(), process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
            self.record(service, begun, now - begun, size)

    def growth(self, service: str) -> float | None:
        """The largest growth of one of its processes; None when none was watched long enough."""
        found = [_growth(life) for life in self._lives[service].values()]
        return max((each for each in found if each is not None), default=None)

    def problems(self, services: Sequence[str], *, required: bool) -> list[str]:
        """A sentence for each service that grew, or of which nothing is known though it must be."""
        problems = []
        for service in services:
            growth = self.growth(service)
            if growth is None and required:
                problems.append(f"no process of {service} was watched for long enough")
            if growth is not None and growth > GROWTH_ALLOWED:
                problems.append(f"a process of {service} grew by {growth - 1:.0%}")
        return problems

    def facts(self, services: Sequence[str]) -> dict[str, str]:
        """Each service's growth, in words."""
        growths = {service: self.growth(service) for service in services}
        return {s: "not watched" if g is None else f"{g - 1:+.1%}" for s, g in growths.items()}


def _growth(life: Sequence[tuple[float, float]]) -> float | None:
    first, last = life[0][0], life[-1][0]
    if last - first < WATCHED_SECONDS:
        return None
    middle = (first + last) / 2
    early = [size for age, size in life if age < middle]
    late = [size for age, size in life if age >= middle]
    return median(late) / median(early)
