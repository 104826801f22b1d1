"""The one place that judges errors of messages: bounded retry with backoff, or a dead letter.

- PermanentError: the record becomes a dead letter at once.
- DatabaseUnavailable: waited for as long as the group membership allows, then redelivered.
- RetryableError and everything unknown: tried again with backoff; tries are counted in the
  database outside the transaction that rolls back, so a record that kills the process counts too.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Status, StatusCode

from archon_contracts import telemetry
from shared.database import Database
from shared.errors import DatabaseUnavailable, PermanentError, RetryableError
from shared.logging import get_logger
from shared.messages import RawRecord
from shared.outbox import Outbox
from shared.queries import load_queries
from shared.wakeups import Wakeups
from shared.watchdog import Progress

FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 5.0
PATIENCE_SECONDS = 200.0  # below max_poll_interval_ms (300 s), else the group evicts us

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
dead_letter_counter = meter.create_counter(telemetry.METRIC_DEAD_LETTERS, unit="{message}")
_queries = load_queries(Path(__file__).parent)


class Quarantine:
    """Runs a handler for one record until it succeeds or the record is set aside."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        wakeups: Wakeups,
        *,
        max_attempts: int,
        handler_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._wakeups = wakeups
        self._max_attempts = max_attempts
        self._handler_timeout = handler_timeout_seconds
        # Counts of tries that ended because the database was away, not taken back yet.
        self._owed: set[tuple[str, int, int]] = set()

    async def protect(
        self, record: RawRecord, handle: Callable[[], Awaitable[Any]], progress: Progress
    ) -> None:
        """Run `handle`; afterwards the record is settled, and its offset may be committed.

        Raises:
            DatabaseUnavailable: nothing could be settled in time; the record must come again.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        delay = FIRST_DELAY_SECONDS
        while True:
            try:
                if await self._try(record, handle, progress):
                    return
            except DatabaseUnavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.warning("handler_waits_for_database", reason=str(error))
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    async def protect_batch(self, handle: Callable[[], Awaitable[Any]], progress: Progress) -> None:
        """Run a batch handler, which settles each record by itself, until it succeeds.

        Raises whatever it raises last; the whole batch then comes again.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        delay = FIRST_DELAY_SECONDS
        while True:
            progress.beat()
            try:
                await handle()
                return
            except RetryableError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.warning("batch_retried", reason=str(error))
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    async def _try(
        self, record: RawRecord, handle: Callable[[], Awaitable[Any]], progress: Progress
    ) -> bool:
        progress.beat()
        attempts = await self._count_once_more(record)
        if attempts > self._max_attempts:
            stuck = RetryableError(f"the record ended its handler {attempts - 1} times")
            await self.set_aside(record, stuck, attempts - 1)
            return True
        try:
            with progress.working(self._handler_timeout):
                async with asyncio.timeout(self._handler_timeout):
                    await handle()
        except DatabaseUnavailable:
            with contextlib.suppress(DatabaseUnavailable):
                await self._take_back(record)
            raise
        except Exception as error:
            _mark_span(error)
            if not isinstance(error, PermanentError) and attempts < self._max_attempts:
                known = isinstance(error, RetryableError)
                log.warning(
                    "handler_retried",
                    reason=str(error),
                    attempts=attempts,
                    topic=record.topic,
                    offset=record.offset,
                    exc_info=not known,
                )
                return False
            await self.set_aside(record, error, attempts)
            return True
        await self._take_back(record)
        return True

    async def set_aside(self, record: RawRecord, error: Exception, attempts: int) -> None:
        """Make the record a dead letter, in one transaction with the end of its tries."""
        log.error(
            "dead_letter",
            reason=str(error),
            error_type=type(error).__name__,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            attempts=attempts,
        )
        async with self._database.transaction() as tx:
            await self._outbox.append_dead_letter(tx, record, error=error, attempts=attempts)
            await _queries.forget_delivery(tx, **_place(record))
        self._wakeups.ring()
        dead_letter_counter.add(1, {"topic": record.topic, "error": type(error).__name__})

    async def _count_once_more(self, record: RawRecord) -> int:
        if _key(record) in self._owed:
            await self._take_back(record)
        try:
            return await self._count(record)
        except DatabaseUnavailable:
            self._owed.add(_key(record))  # it may have been committed all the same
            raise

    async def _take_back(self, record: RawRecord) -> None:
        """Forget the count, now or before the next one."""
        self._owed.add(_key(record))
        await self._forget(record)
        self._owed.discard(_key(record))

    async def _count(self, record: RawRecord) -> int:
        async with self._database.transaction() as tx:
            attempts: int = await _queries.count_delivery(tx, **_place(record))
        return attempts

    async def _forget(self, record: RawRecord) -> None:
        async with self._database.transaction() as tx:
            await _queries.forget_delivery(tx, **_place(record))


def _key(record: RawRecord) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def _place(record: RawRecord) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "record_offset": record.offset,
    }


def _mark_span(error: Exception) -> None:
    span = trace.get_current_span()
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, str(error)))
