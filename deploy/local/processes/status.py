"""What a person is shown of each process."""

from enum import StrEnum

import psutil
from pydantic import BaseModel, ConfigDict

MEGABYTE = 1024 * 1024


class ProcessState(StrEnum):
    """Where a component is in its life."""

    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    WAITING_TO_RESTART = "waiting to restart"
    STOPPED = "stopped"


class ProcessStatus(BaseModel):
    """One component at one moment. `rss_mb` counts its children too; None when it is not alive.

    `exit_code` is how its process before this one ended; None where there was none.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int | None
    state: ProcessState
    restarts: int
    port: int
    exit_code: int | None = None
    rss_mb: float | None = None

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return self.state is ProcessState.READY

    def measure(self) -> "ProcessStatus":
        """Return the same with the memory it holds now, and stopped where its process is gone."""
        rss_mb = resident_mb(self.pid) if self.pid is not None else None
        gone = self.pid is not None and rss_mb is None
        state = ProcessState.STOPPED if gone else self.state
        return self.model_copy(update={"rss_mb": rss_mb, "state": state})


def resident_mb(pid: int) -> float | None:
    """Measure a process and its descendants together; None when it has ended."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return round(sum(_resident_bytes(member) for member in family) / MEGABYTE, 1)
    except psutil.NoSuchProcess:
        return None


def _resident_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        # The proportional size counts a page shared by many once; only Linux knows it.
        return int(getattr(full, "pss", full.rss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
