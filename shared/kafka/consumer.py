"""The consumer of a service: loses no record of a failed drain, and knows what keeps it.

Its commits end in time, those of single records are gathered, it keeps its member id, and it
remembers the error that it meets again and again, so that `ConsumerSupervisor` can replace it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from archon_contracts.client.healing import LastingError, OffsetGap, ReadOutage, report_gaps
from archon_contracts.client.idle_fetch import pace_idle_fetches
from archon_contracts.namespace import Namespace
from shared.kafka.patches import (
    RejoiningConsumer,
    active_assignment,
    discard_fetch_errors,
    valid_positions,
)
from shared.kafka.tolerant_records import UNDECODABLE_ERRORS
from shared.logging import get_logger

COMMIT_TIMEOUT_SECONDS: Final = 15.0
COMMIT_INTERVAL_SECONDS: Final = 0.1
"""Between commits of single records: each takes Kafka a write to all copies, some 50 ms on three
busy nodes, and a record of a topic of commands is handled in a few."""
COMMIT_RETRY_SECONDS: Final = 1.0
LAST_COMMIT_SECONDS: Final = 2.0
"""What the stop waits for a commit, as for the rest of the consumer's end."""
BATCH_WAIT_MS: Final = 1_000
"""How long a batch is waited for; the wait ends with the first record.

FastStream sleeps after an empty batch for as long as it let the consumer wait, and in its sleep
nobody waits for a record. So it is given a short time, and the long wait is here: an idle consumer
then asks once a second and not ten times, and a record is read sooner.
"""

log = get_logger(__name__)

Records = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]
Offsets = dict[TopicPartition, int]


class ServiceConsumer(RejoiningConsumer):
    """As aiokafka's, but that a failed drain puts every position back."""

    def __init__(
        self,
        *,
        group_id: str | None,
        namespace: Namespace,
        idle_wait_seconds: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(
            group_id=None if group_id is None else namespace.qualify(group_id),
            **options,
        )
        self._idle_wait_seconds = idle_wait_seconds
        self._errors = LastingError()
        self._outage = ReadOutage(self)
        self._reads_single_records = False
        self._has_raised = False
        self._gathered = _GatheredCommits(self._commit_gathered)

    async def start(self) -> None:
        """Connect, and join the group."""
        await super().start()
        pace_idle_fetches(self, maximum_wait_seconds=self._idle_wait_seconds)
        report_gaps(self, _log_gap)
        self._outage.observe()

    async def commit(self, offsets: Offsets | None = None) -> None:
        """Commit what was handled: after a batch now, after single records soon and together.

        A commit that is given up, or that the end of the process forestalls, is no loss: the next
        one covers it, and until then a redelivered record meets its inbox row.
        """
        if offsets is None and self._reads_single_records:
            # Now, not when it is sent: the next record is handed out before it is handled.
            self._gathered.record(active_assignment(self), valid_positions(self))
        else:
            await self._commit_now(offsets)

    async def _commit_now(self, offsets: Offsets | None) -> None:
        """aiokafka's waits for ever while the group's coordinator is away."""
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                await super().commit(offsets)
        except KafkaError as error:
            self._errors.record(error)
            raise

    async def _commit_gathered(self, assignment: Any, offsets: Offsets) -> None:
        # After a rebalance another member may have gone on from there.
        if assignment is not None and assignment is active_assignment(self):
            await self._commit_now(offsets)

    async def stop(self) -> None:
        """Commit what is gathered, leave the group and disconnect."""
        await self._gathered.finish()
        await super().stop()

    async def getone(self, *partitions: TopicPartition) -> ConsumerRecord[Any, Any]:
        """The next record."""
        self._reads_single_records = True
        self._discard_old_errors()
        try:
            record: ConsumerRecord[Any, Any] = await super().getone(*partitions)
        except KafkaError as error:
            self._keep_error(error)
            raise
        self._errors.record(None)
        return record

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Records:
        """The next records; an empty answer comes after `BATCH_WAIT_MS` at the earliest.

        Raises what aiokafka's raises, with every position as it was.
        """
        self._discard_old_errors()
        before = valid_positions(self)
        try:
            found: Records = await super().getmany(
                *partitions, timeout_ms=max(timeout_ms, BATCH_WAIT_MS), max_records=max_records
            )
        except (KafkaError, *UNDECODABLE_ERRORS) as error:
            after = valid_positions(self)
            for partition in before.keys() & after.keys():
                if before[partition] < after[partition]:
                    self.seek(partition, before[partition])
            self._keep_error(error)
            raise
        if found:
            self._errors.record(None)
        return found

    def _keep_error(self, error: BaseException) -> None:
        self._errors.record(error)
        self._has_raised = True

    def _discard_old_errors(self) -> None:
        """Of the time since the call that raised, in which FastStream slept."""
        if self._has_raised:
            self._has_raised = False
            discard_fetch_errors(self)

    def lasting_error(self, at_least_seconds: float) -> BaseException | None:
        """The error that has come again and again for so long, up to now."""
        return self._errors.lasting(at_least_seconds)

    def reset_errors(self) -> None:
        """What it met so far has a cause that is known and not its own."""
        self._errors.record(None)

    def outage(self, at_least_seconds: float) -> str:
        """What it has waited for since so long, and goes on to try by itself; empty: nothing.

        To be asked every few seconds: whether a coordinator is known is only looked at then.
        """
        return self._outage.describe(at_least_seconds)


class _GatheredCommits:
    """Commits the newest offsets in a task of its own: at once, then again after an interval."""

    def __init__(self, commit: Callable[[Any, Offsets], Awaitable[None]]) -> None:
        self._commit = commit
        self._waiting: tuple[Any, Offsets] | None = None
        self._task: asyncio.Task[None] | None = None
        self._finishing = asyncio.Event()

    def record(self, assignment: Any, offsets: Offsets) -> None:
        """Offsets of an assignment below which all is handled; they cover those before."""
        self._waiting = (assignment, offsets)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="gathered commits")

    async def _run(self) -> None:
        while self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            pause = COMMIT_INTERVAL_SECONDS
            try:
                await self._commit(*waiting)
            # RuntimeError: uvloop's, of a connection that was cut while it was written to.
            except (KafkaError, TimeoutError, OSError, RuntimeError) as error:
                log.debug("commit_failed", reason=repr(error))
                pause = COMMIT_RETRY_SECONDS
                self._retry(*waiting)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._finishing.wait()

    def _retry(self, assignment: Any, offsets: Offsets) -> None:
        if self._waiting is None and not self._finishing.is_set():
            self._waiting = (assignment, offsets)

    async def finish(self) -> None:
        """Commit what waits, if that does not take long."""
        self._finishing.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=LAST_COMMIT_SECONDS)
            for task in late:
                task.cancel()


def _log_gap(gap: OffsetGap) -> None:
    """An error, not a warning: what nobody read is lost to this service."""
    log.error(
        "records_deleted_unread",
        reason=str(gap),
        topic=gap.topic,
        partition=gap.partition,
        expected_offset=gap.expected,
        resumed_at_offset=gap.resumed_at,
    )
