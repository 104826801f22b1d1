"""The progress of a job in one line of text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, TextIO

from archon_contracts.client.sdk.answers.jobs import JobInfo
from archon_contracts.events import JobState

STAGES: Final = tuple(state.value for state in JobState if not state.is_final)
FINAL_STATES: Final = frozenset(state.value for state in JobState if state.is_final)
WIDTH: Final = 24
ReportProgress = Callable[[JobInfo], None]


def fraction_done(job: JobInfo) -> float:
    """How far a job is, from 0 to 1: stages count alike, a training by its steps."""
    if job.state in FINAL_STATES:
        return 1.0
    if job.state not in STAGES:
        return 0.0
    within = 0.0
    progress = job.progress
    if job.state == JobState.TRAINING and progress is not None and progress.total_steps:
        within = min(progress.step / progress.total_steps, 1.0)
    return (STAGES.index(job.state) + within) / len(STAGES)


def describe(job: JobInfo) -> str:
    """A bar, the stage, and of a training its step, loss and remaining time."""
    filled = round(fraction_done(job) * WIDTH)
    parts = [f"[{'#' * filled}{'.' * (WIDTH - filled)}]", job.state]
    progress = job.progress
    if job.state == JobState.TRAINING and progress is not None:
        total = f"/{progress.total_steps}" if progress.total_steps else ""
        parts.append(f"step {progress.step}{total}")
        if progress.loss is not None:
            parts.append(f"loss {progress.loss:.3g}")
        if progress.eta_seconds is not None:
            parts.append(f"{progress.eta_seconds:.0f} s left")
    if job.state in FINAL_STATES:
        parts.append(job.version or job.reason)
    return " ".join(part for part in parts if part)


class ProgressLine:
    """Shows a job's progress: one line that changes on a terminal, else a line per change."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = ""

    def __call__(self, job: JobInfo) -> None:
        """Show the job as it is now."""
        line = describe(job)
        is_terminal = self._stream.isatty()
        key = line if is_terminal else job.state
        if key == self._shown:
            return
        self._shown = key
        if not is_terminal:
            print(line, file=self._stream, flush=True)
            return
        end = "\n" if job.state in FINAL_STATES else ""
        # Clears the rest of the line, which may have been longer.
        print(f"\r{line}\x1b[K", end=end, file=self._stream, flush=True)
