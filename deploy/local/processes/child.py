"""A child process with a log file, that never outlives this process and is stopped whole."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from deploy.local.credentials import OWNER_ONLY_FOLDER
from deploy.local.processes.privileges import UnprivilegedUser

EXEC_CHILD = Path(__file__).with_name("exec_child.py")
LOG_LIMIT_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and which signals end it.

    `death_signal` is sent by the kernel when this process is gone, `stop_signal` by `Child.stop`.
    """

    argv: tuple[str, ...]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directory: Path | None = None
    user: UnprivilegedUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL


class Child:
    """A running program. Spawn it from a thread that lives as long as the child shall."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process) -> None:
        self._program = program
        self._process = process

    @classmethod
    async def spawn(cls, program: Program) -> Self:
        """Start `program` in a session of its own, its output appended to its log.

        Being out of the terminal's session, it gets no Ctrl-C of its own: it is stopped in order.
        """
        with _open_log(program.log_path) as log:
            process = await asyncio.create_subprocess_exec(
                *_wrapped(program),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=program.environment,
                cwd=program.directory,
                start_new_session=True,
            )
        return cls(program, process)

    @property
    def pid(self) -> int:
        """The process id; it is also the id of the child's process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the end and return how it ended; what it left running in its group is killed."""
        code = await self._process.wait()
        self._signal_group(signal.SIGKILL)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send one signal to the process itself; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, deadline_seconds: float) -> int:
        """Ask it to end, wait until the deadline, then kill its whole group."""
        self.send_signal(self._program.stop_signal)
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self.wait()
        except TimeoutError:
            self._signal_group(signal.SIGKILL)
            return await self.wait()

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _wrapped(program: Program) -> list[str]:
    user = program.user
    return [
        # Isolated, without site packages: nothing of the environment runs before
        # privileges are dropped.
        *(sys.executable, "-I", "-S", str(EXEC_CHILD)),
        *(str(int(program.death_signal)), str(os.getpid())),
        *((str(user.uid), str(user.gid)) if user else ("-", "-")),
        "reach" if user and user.needs_reach else "-",
        *program.argv,
    ]


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
