"""What the demo has to show at any moment: stages, progress, accuracy, memory, last notes."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LAST_NOTES = 6
STAGES = {
    "start": "start database, broker and services",
    "benchmark": "read the benchmark",
    "register": "register the agents and their held-out items",
    "initial_training": "train the first version on half of the tool families",
    "fast_path": "correct a second, small agent: it follows within seconds",
    "production": "serve requests of all families, take corrections",
    "retrain": "retrain, triggered by the feedback itself",
    "canary": "give the new version growing parts of the traffic, as feedback allows",
    "hot_swap": "swap all traffic to the new version while the agent serves",
    "proof": "serve with the new weights",
    "rollback": "deploy a worse version by hand; feedback rolls it back",
    "collect": "collect answers, versions and the trace",
}


class StageState(StrEnum):
    """Where a stage of the scenario is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class DemoStage:
    """One step of the scenario."""

    title: str
    state: StageState = StageState.WAITING
    began: float = 0.0
    took: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it took, or has been taking."""
        return time.monotonic() - self.began if self.state is StageState.RUNNING else self.took


@dataclass(slots=True)
class ProgressView:
    """State of the demo, rendered by the terminal; `listener` receives every line logged."""

    listener: Callable[[str], None] = lambda line: None
    stages: dict[str, DemoStage] = field(
        default_factory=lambda: {key: DemoStage(title) for key, title in STAGES.items()}
    )
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_NOTES))
    job_state: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)
    accuracy: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, key: str) -> Iterator[None]:
        """Time a stage; it has failed when an exception leaves the block."""
        stage = self.stages[key]
        stage.state, stage.began = StageState.RUNNING, time.monotonic()
        self.listener(f"{stage.title} ...")
        try:
            yield
        except BaseException:
            stage.took, stage.state = stage.seconds, StageState.FAILED
            raise
        stage.took, stage.state = stage.seconds, StageState.DONE
        self.listener(f"{stage.title}: {stage.took:.1f} s")

    def log(self, line: str) -> None:
        """Note something worth knowing."""
        self.notes.append(line)
        self.listener(f"  {line}")

    def follow(self, job: Mapping[str, Any]) -> None:
        """Show how far a job is."""
        if job["state"] != self.job_state:
            self.listener(f"  job is {job['state']}")
        self.job_state = job["state"]
        self.progress = (job.get("progress") or {}) if job["state"] == "training" else {}

    def set_accuracy(self, version: str, accuracy: Mapping[str, Any]) -> None:
        """Show a version's accuracy per group of tool families."""
        self.accuracy[version] = accuracy

    def seconds(self) -> dict[str, float]:
        """Seconds per stage so far."""
        return {key: round(stage.seconds, 2) for key, stage in self.stages.items()}
