"""A child that stays between runs, for work whose set-up costs far more than the work itself.

A child per run imports libraries and loads a model each time: seconds, for an update that computes
for some ten milliseconds. The resident child keeps both. It does one run at a time and ends when it
was idle for a while, when a run is cancelled, and with its service. What one run leaves in memory
is there for the next one, so entry points keep nothing but caches that are addressed by content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from shared.errors import ChildCrashed, ChildFailed
from shared.logging import get_logger
from shared.telemetry.store import TelemetryStore
from shared.work.child_pool import ChildPool, OnReport, stop_child
from shared.work.child_process import resident_main

IDLE_SECONDS: Final = 300.0
"""A loaded model takes some 150 MB: an installation without corrections gets them back."""

log = get_logger(__name__)


class ResidentChild(ChildPool):
    """Runs one after another in a child that is started when it is first needed."""

    name = "resident child"

    def __init__(
        self,
        *,
        warm_up_modules: Sequence[str],
        threads: int,
        telemetry: TelemetryStore,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        super().__init__(warm_up_modules=warm_up_modules, threads=threads, telemetry=telemetry)
        self._idle_seconds = idle_seconds
        self._running = asyncio.Lock()
        self._child: tuple[Connection, BaseProcess] | None = None
        self._idle: asyncio.Task[None] | None = None

    async def run(self, entry: str, spec: Mapping[str, Any], on_report: OnReport) -> dict[str, Any]:
        """Run `entry` in the resident child, after the runs that came before.

        Cancelling ends the child; the next run starts another.

        Raises:
            ChildFailed, ChildCrashed: see `ChildPool.run`.
        """
        async with self._running:
            self._stop_waiting()
            kept = False
            try:
                result = await self._run_in_child(self._request(entry, spec), on_report)
                kept = True
                return result
            except ChildFailed:
                kept = True  # it said why: the child itself is well
                raise
            finally:
                if kept:
                    self._idle = asyncio.create_task(self._stop_when_idle())
                else:
                    await asyncio.shield(self._stop())

    async def close(self) -> None:
        """End the child, if there is one."""
        self._stop_waiting()
        await self._stop()

    async def _run_in_child(self, request: dict[str, Any], on_report: OnReport) -> dict[str, Any]:
        try:
            return await self._exchange_messages(*await self._start(), request, on_report)
        except ChildCrashed as error:
            # A reset pipe, unlike one at its end, held a request that nobody read: the child had
            # ended since the last run, and another one may do this run.
            if not isinstance(error.__cause__, ConnectionError):
                raise
        await self._stop()
        return await self._exchange_messages(*await self._start(), request, on_report)

    async def _start(self) -> tuple[Connection, BaseProcess]:
        """The child's pipe and process; it is started if there is none."""
        if self._child is None:
            self._child = await self._fork(resident_main)
            log.info("resident_child_started", pid=self._child[1].pid)
        return self._child

    async def _stop_when_idle(self) -> None:
        await asyncio.sleep(self._idle_seconds)
        async with self._running:
            self._idle = None
            await self._stop()

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await stop_child(*child)
