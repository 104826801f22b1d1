"""Servers that outlived the process that started them, found and ended before a new start."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

GRACE_SECONDS = 10.0


def end_all(processes: Iterable[psutil.Process], stop_signal: int) -> None:
    """Ask each process to end, wait, and kill those that did not. Blocks."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
    _, stubborn = psutil.wait_procs(asked, timeout=GRACE_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)


def running_in(directory: Path, name: str) -> list[psutil.Process]:
    """List the processes called `name` whose working directory is `directory`."""
    return [process for process in psutil.process_iter(["name"]) if _is(process, name, directory)]


def _is(process: psutil.Process, name: str, directory: Path) -> bool:
    if process.info["name"] != name:
        return False
    try:
        return Path(process.cwd()) == directory
    except psutil.Error:
        return False
