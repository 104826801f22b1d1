"""Peak memory per process of the demo, measured while it runs."""

import asyncio
from collections.abc import Callable, Mapping

import psutil

MEGABYTE = 1024 * 1024
SAMPLE_SECONDS = 1.0


class PeakMemory:
    """Samples every process with its children, and keeps the highest value of each."""

    def __init__(self, pids: Callable[[], Mapping[str, int | None]]) -> None:
        self._pids = pids
        self.peaks_mb: dict[str, float] = {}

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.to_thread(self._sample)
            await asyncio.sleep(SAMPLE_SECONDS)

    def _sample(self) -> None:
        for name, pid in self._pids().items():
            if pid is not None:
                megabytes = family_mb(pid)
                self.peaks_mb[name] = max(megabytes, self.peaks_mb.get(name, 0.0))


def family_mb(pid: int) -> float:
    """Memory of a process and its descendants, pages shared between them counted once."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return round(sum(_bytes(member) for member in family) / MEGABYTE, 1)


def _bytes(process: psutil.Process) -> int:
    try:
        # Proportional: a page that n processes share counts 1/n in each.
        full = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(full, "pss", full.rss))
