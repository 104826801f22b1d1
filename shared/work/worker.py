"""The loop that leases and runs work, with one task per slot."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Mapping
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AnyValue

from archon_contracts import telemetry
from shared.errors import (
    DatabaseUnavailable,
    LeaseLost,
    LeaseNotRenewed,
    PermanentError,
    RetryableError,
)
from shared.logging import get_logger
from shared.messaging.notifier import Waiter
from shared.telemetry.spans import remote_context
from shared.work.ports import WorkHandler
from shared.work.queue import Lease, WorkQueue

# Commits notify the worker; the poll finds work whose lease ran out, which no commit announces.
POLL_SECONDS = 5.0
INITIAL_BACKOFF_SECONDS = 0.5
MAXIMUM_BACKOFF_SECONDS = 30.0
# Longer than a restart or failover of the database takes: a training's result may be hours of work.
DATABASE_WAIT_SECONDS = 600.0

log = get_logger(__name__)
tracer = trace.get_tracer(__name__)
meter = metrics.get_meter(__name__)
duration = meter.create_histogram(telemetry.METRIC_WORK_DURATION, unit="s")


class Worker:
    """Runs up to `slots` items of work at once; a `Background` of the application."""

    name = "worker"

    def __init__(
        self,
        queue: WorkQueue,
        handlers: Mapping[str, WorkHandler],
        waiter: Waiter,
        *,
        slots: int = 1,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._waiter = waiter
        self._free = asyncio.Semaphore(slots)
        self._slots = slots
        self._running: set[asyncio.Task[None]] = set()
        self._owner = f"{socket.gethostname()}:{os.getpid()}"

    @property
    def busy(self) -> int:
        """The number of items of work that run now."""
        return len(self._running)

    async def run(self) -> None:
        """Lease and run until cancelled; running work is then released."""
        try:
            while True:
                # A slot must be free before work is leased: leased work that waits would lose its
                # lease.
                async with self._free:
                    lease = await self._next()
                # No wait: this loop alone takes slots, and it has just given this one back.
                await self._free.acquire()
                task = asyncio.create_task(self._process(lease), name=f"{lease.kind} {lease.key}")
                self._running.add(task)
                task.add_done_callback(self._done)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()

    async def _next(self) -> Lease:
        kinds = list(self._handlers)
        while True:
            try:
                lease = await self._queue.lease(kinds, self._owner)
                if lease is not None:
                    return lease
                due = await self._queue.seconds_to_next(kinds)
            except RetryableError as error:
                log.warning("worker_waits_for_database", reason=str(error))
                due = 1.0
            await self._waiter.wait(_poll_delay(due))

    async def _process(self, lease: Lease) -> None:
        started = asyncio.get_running_loop().time()
        log.info("work_leased", kind=lease.kind, key=lease.key, attempt=lease.attempt)
        attributes: dict[str, AnyValue] = {
            telemetry.JOB_ATTEMPT: lease.attempt,
            telemetry.JOB_ID: lease.key,
            telemetry.TENANT_ID: lease.tenant_id or "",
        }
        with tracer.start_as_current_span(
            telemetry.SPAN_WORK.format(kind=lease.kind),
            context=remote_context(lease.cause.traceparent),
            attributes=attributes,
        ) as span:
            try:
                await self._run(lease)
            except asyncio.CancelledError:
                span.set_status(Status(StatusCode.ERROR, "handed back"))
                # Shielded: work that is not released at a stop waits until its lease has run out.
                await asyncio.shield(self._queue.release(lease))
                raise
            except LeaseNotRenewed as error:
                span.set_status(Status(StatusCode.ERROR, str(error)))
                log.warning("lease_lost", kind=lease.kind, key=lease.key, reason=str(error))
                await self._release_lease(lease)
            except LeaseLost as error:
                span.set_status(Status(StatusCode.ERROR, str(error)))
                log.warning("lease_lost", kind=lease.kind, key=lease.key, reason=str(error))
            except RetryableError as error:
                # The end could not be written; the lease runs out and the work is leased again.
                span.set_status(Status(StatusCode.ERROR, str(error)))
                log.warning(
                    "work_end_not_written", kind=lease.kind, key=lease.key, reason=str(error)
                )
        seconds = asyncio.get_running_loop().time() - started
        duration.record(seconds, {"kind": lease.kind})

    async def _release_lease(self, lease: Lease) -> None:
        """Requeue without counting the attempt, if the lease still holds: the database was away."""
        deadline = asyncio.get_running_loop().time() + DATABASE_WAIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                await self._queue.release(lease)
                return
            except DatabaseUnavailable as error:
                log.warning("release_waits_for_database", key=lease.key, reason=str(error))
                await asyncio.sleep(INITIAL_BACKOFF_SECONDS)

    async def _run(self, lease: Lease) -> None:
        handler = self._handlers[lease.kind]
        # Attempts are counted when leased, so work that kills its process comes to an end too.
        if lease.attempt > lease.max_attempts:
            await self._give_up(
                handler,
                lease,
                PermanentError(
                    f"{lease.kind} {lease.key} ended without an answer {lease.max_attempts} times"
                ),
            )
            return
        try:
            async with self._queue.renewed(lease):
                result = await handler.run(lease)
            await self._complete(handler, lease, result)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001  the one place that classifies errors of work
            await self._handle_failure(handler, lease, error)
            return
        log.info("work_done", kind=lease.kind, key=lease.key)

    async def _complete(self, handler: WorkHandler, lease: Lease, result: Any) -> None:
        """Write the result, waiting for an unreachable database: the work may have taken hours."""
        deadline = asyncio.get_running_loop().time() + DATABASE_WAIT_SECONDS
        while True:
            try:
                async with self._queue.guarded(lease) as tx:
                    await handler.complete(tx, lease, result)
                    await self._queue.finish(tx, lease, state="done")
                return
            except DatabaseUnavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.warning("result_waits_for_database", key=lease.key, reason=str(error))
                await asyncio.sleep(INITIAL_BACKOFF_SECONDS)

    async def _handle_failure(self, handler: WorkHandler, lease: Lease, error: Exception) -> None:
        trace.get_current_span().record_exception(error)
        trace.get_current_span().set_status(Status(StatusCode.ERROR, str(error)))
        last = lease.attempt >= lease.max_attempts
        if isinstance(error, PermanentError) or last:
            await self._give_up(handler, lease, error)
            return
        delay = min(INITIAL_BACKOFF_SECONDS * 2**lease.attempt, MAXIMUM_BACKOFF_SECONDS)
        # Workers that failed together must not come back together.
        delay *= random.uniform(0.8, 1.2)
        log.warning(
            "work_retried",
            kind=lease.kind,
            key=lease.key,
            reason=str(error),
            exc_info=not isinstance(error, RetryableError),
        )
        async with self._queue.guarded(lease) as tx:
            await self._queue.retry(tx, lease, delay_seconds=delay, error=str(error))

    async def _give_up(self, handler: WorkHandler, lease: Lease, error: Exception) -> None:
        log.error(
            "work_failed",
            kind=lease.kind,
            key=lease.key,
            reason=str(error),
            exc_info=not isinstance(error, (PermanentError, RetryableError)),
        )
        async with self._queue.guarded(lease) as tx:
            await handler.give_up(tx, lease, error)
            await self._queue.finish(tx, lease, state="failed", error=str(error))


def _poll_delay(due_seconds: float | None) -> float:
    """Seconds to sleep until the next row is due; the poll interval where none is known."""
    if due_seconds is None:
        return POLL_SECONDS
    # Not below 50 ms: a due row that cannot be leased now must not be asked for in a busy loop.
    return min(max(due_seconds, 0.05), POLL_SECONDS)
