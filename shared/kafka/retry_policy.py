"""The one place that classifies errors of messages: bounded retry with backoff, or a dead letter.

- PermanentError: the record becomes a dead letter at once.
- DatabaseUnavailable: waited for as long as the group membership allows, then redelivered.
- RetryableError and everything unknown: tried again with backoff; tries are counted in the
  database outside the transaction that rolls back, so a record that kills the process counts too.

A batch is tried as often as a record, then taken apart: each record goes through its handler
alone, so that only the guilty one becomes a dead letter. One count is written per batch. The
counts of those set aside are kept until the whole batch is settled: if a later one ends the
process, the batch comes again from its beginning, and they must not end it as often once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Status, StatusCode

from archon_contracts import telemetry
from shared.errors import DatabaseUnavailable, PermanentError, RetryableError
from shared.kafka.watchdog import ConsumerHeartbeat
from shared.logging import get_logger
from shared.messaging.messages import RawRecord
from shared.messaging.notifier import Notifier
from shared.messaging.outbox import Outbox
from shared.postgres.database import Database
from shared.postgres.queries import load_queries

INITIAL_BACKOFF_SECONDS = 0.05
MAXIMUM_BACKOFF_SECONDS = 5.0
DATABASE_WAIT_SECONDS = 200.0  # below max_poll_interval_ms (300 s), else the group evicts us

RecordPosition = tuple[str, int, int]
"""Topic, partition and offset."""

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
# By topic alone, so that its series are there before the first; the log has the error.
dead_letter_counter = meter.create_counter(telemetry.METRIC_DEAD_LETTERS, unit="{message}")


def report_dead_letter(record: RawRecord, error: Exception, *, attempts: int = 1) -> None:
    """Log and count a record that was set aside."""
    log.error(
        "dead_letter",
        reason=str(error),
        error_type=type(error).__name__,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        attempts=attempts,
    )
    dead_letter_counter.add(1, {"topic": record.topic})


_queries = load_queries("shared")


class RetryPolicy:
    """Runs a handler for one record until it succeeds or the record is set aside."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        notifier: Notifier,
        *,
        max_attempts: int,
        handler_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._notifier = notifier
        self._max_attempts = max_attempts
        self._handler_timeout = handler_timeout_seconds
        # Counts of tries that ended because the database was away, not taken back yet.
        self._pending_resets: set[RecordPosition] = set()

    async def settle(
        self, record: RawRecord, handle: Callable[[], Awaitable[Any]], heartbeat: ConsumerHeartbeat
    ) -> None:
        """Run `handle`; afterwards the record is settled, and its offset may be committed.

        Raises:
            DatabaseUnavailable: nothing could be settled in time; the record must come again.
        """
        await self._retry_until_settled(lambda: self._try(record, handle, heartbeat))

    async def settle_batch(
        self,
        records: Sequence[RawRecord],
        handle: Callable[[list[RawRecord]], Awaitable[Any]],
        heartbeat: ConsumerHeartbeat,
    ) -> None:
        """Run a batch handler, which settles each record by itself; afterwards all are settled.

        Raises:
            DatabaseUnavailable: nothing could be settled in time; the batch must come again.
        """
        await self._retry_until_settled(lambda: self._try_batch(records, handle, heartbeat))

    async def _retry_until_settled(self, settle: Callable[[], Awaitable[bool]]) -> None:
        deadline = asyncio.get_running_loop().time() + DATABASE_WAIT_SECONDS
        delay = INITIAL_BACKOFF_SECONDS
        while True:
            try:
                if await settle():
                    return
            except DatabaseUnavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.warning("handler_waits_for_database", reason=str(error))
            # With jitter: the members of a group must not all come back to the database at once.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, MAXIMUM_BACKOFF_SECONDS)

    async def _try_batch(
        self,
        records: Sequence[RawRecord],
        handle: Callable[[list[RawRecord]], Awaitable[Any]],
        heartbeat: ConsumerHeartbeat,
    ) -> bool:
        heartbeat.beat()
        positions = _batch_starts(records)
        attempts = await self._count_attempt(positions)
        if attempts > self._max_attempts:
            log.error("batch_split", topic=records[0].topic, records=len(records))
            for record in records:
                alone = partial(handle, [record])
                await self._retry_until_settled(
                    partial(self._try, record, alone, heartbeat, keep_count=True)
                )
            positions += [_position_of(record) for record in records]
        else:
            try:
                await self._run(partial(handle, list(records)), heartbeat)
            except DatabaseUnavailable:
                await self._reset_counts_or_defer(positions)
                raise
            except Exception as error:  # noqa: BLE001  the one place that classifies errors of messages
                _mark_span(error)
                _log_retry("batch_retried", records[0], error, attempts)
                return False
        await self._reset_counts(positions)
        return True

    async def _try(
        self,
        record: RawRecord,
        handle: Callable[[], Awaitable[Any]],
        heartbeat: ConsumerHeartbeat,
        *,
        keep_count: bool = False,
    ) -> bool:
        heartbeat.beat()
        positions = [_position_of(record)]
        attempts = await self._count_attempt(positions)
        if attempts > self._max_attempts:
            # Tries are counted before the handler runs, so only one that ended its process gets
            # here.
            stuck = RetryableError(f"the record ended its handler {attempts - 1} times")
            await self.send_to_dead_letters(record, stuck, attempts - 1, keep_count=keep_count)
            return True
        try:
            await self._run(handle, heartbeat)
        except DatabaseUnavailable:
            await self._reset_counts_or_defer(positions)
            raise
        except Exception as error:  # noqa: BLE001  the one place that classifies errors of messages
            _mark_span(error)
            if not isinstance(error, PermanentError) and attempts < self._max_attempts:
                _log_retry("handler_retried", record, error, attempts)
                return False
            await self.send_to_dead_letters(record, error, attempts, keep_count=keep_count)
            return True
        await self._reset_counts(positions)
        return True

    async def _run(
        self, handle: Callable[[], Awaitable[Any]], heartbeat: ConsumerHeartbeat
    ) -> None:
        # The timeout ends a handler that waits; one that blocks the event loop is for the watchdog.
        with heartbeat.handler_running(self._handler_timeout):
            async with asyncio.timeout(self._handler_timeout):
                await handle()

    async def send_to_dead_letters(
        self, record: RawRecord, error: Exception, attempts: int, *, keep_count: bool = False
    ) -> None:
        """Make the record a dead letter, in one transaction with the end of its tries; a record of
        a batch keeps their count. It has one letter, however often its batch comes again."""
        async with self._database.transaction() as tx:
            is_new = await self._outbox.append_dead_letter(
                tx, record, error=error, attempts=attempts
            )
            if not keep_count:
                await _queries.delete_deliveries(tx, **_columns([_position_of(record)]))
        if not is_new:
            return
        report_dead_letter(record, error, attempts=attempts)
        self._notifier.notify()

    async def _count_attempt(self, positions: Sequence[RecordPosition]) -> int:
        if not self._pending_resets.isdisjoint(positions):
            await self._reset_counts(positions)
        try:
            return await self._increment_counts(positions)
        except DatabaseUnavailable:
            self._pending_resets.update(positions)  # it may have been committed all the same
            raise

    async def _reset_counts_or_defer(self, positions: Sequence[RecordPosition]) -> None:
        """Take the count back if the database is there, else before the next one."""
        with contextlib.suppress(DatabaseUnavailable):
            await self._reset_counts(positions)

    async def _reset_counts(self, positions: Sequence[RecordPosition]) -> None:
        self._pending_resets.update(positions)
        await self._delete_counts(positions)
        self._pending_resets.difference_update(positions)

    async def _increment_counts(self, positions: Sequence[RecordPosition]) -> int:
        async with self._database.transaction() as tx:
            attempts: int = await _queries.count_deliveries(tx, **_columns(positions))
        return attempts

    async def _delete_counts(self, positions: Sequence[RecordPosition]) -> None:
        async with self._database.transaction() as tx:
            await _queries.delete_deliveries(tx, **_columns(positions))


def _position_of(record: RawRecord) -> RecordPosition:
    return record.topic, record.partition, record.offset


def _batch_starts(records: Sequence[RawRecord]) -> list[RecordPosition]:
    """Where a batch begins in each partition, derived from the positions of its records.

    The next batch after a crash may hold other partitions, but each begins where it did. In order:
    two consumers that count the same positions do not wait for each other.
    """
    first: dict[tuple[str, int], int] = {}
    for record in records:
        first.setdefault((record.topic, record.partition), record.offset)
    return sorted((f"{topic} batch", number, offset) for (topic, number), offset in first.items())


def _columns(positions: Sequence[RecordPosition]) -> dict[str, Any]:
    topics, partitions, offsets = zip(*positions, strict=True)
    return {"topics": topics, "partitions": partitions, "offsets": offsets}


def _log_retry(fact: str, record: RawRecord, error: Exception, attempts: int) -> None:
    log.warning(
        fact,
        reason=str(error),
        attempts=attempts,
        topic=record.topic,
        offset=record.offset,
        exc_info=not isinstance(error, RetryableError),
    )


def _mark_span(error: Exception) -> None:
    span = trace.get_current_span()
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, str(error)))
