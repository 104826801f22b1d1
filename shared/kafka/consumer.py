"""The consumer of a service: loses no record of a failed drain, and knows what keeps it.

Its commits end in time, it keeps its member id, and it remembers the error that it meets again and
again, so that `ConsumerSupervisor` can replace it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from archon_contracts.client.healing import OffsetGap, report_gaps
from archon_contracts.client.idle_fetch import pace_idle_fetches
from archon_contracts.namespace import Namespace
from shared.kafka.patches import (
    RejoiningConsumer,
    lacks_coordinator,
    observe_fetches,
    valid_positions,
)
from shared.kafka.tolerant_records import UNDECODABLE_ERRORS
from shared.logging import get_logger

COMMIT_TIMEOUT_SECONDS: Final = 15.0
ERROR_MEMORY_SECONDS: Final = 12.0
"""FastStream asks again 5 s after an error; an error not met for so long is over."""

BATCH_WAIT_MS: Final = 1_000
"""How long a batch is waited for; the wait ends with the first record.

FastStream sleeps after an empty batch for as long as it let the consumer wait, and in its sleep
nobody waits for a record. So it is given a short time, and the long wait is here: an idle consumer
then asks once a second and not ten times, and a record is read sooner.
"""

log = get_logger(__name__)

Records = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]


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
        self._errors = _LastingError()
        self._fetch_errors: dict[int, _LastingError] = {}
        self._coordinator_known_at = time.monotonic()

    async def start(self) -> None:
        """Connect, and join the group."""
        await super().start()
        pace_idle_fetches(self, maximum_wait_seconds=self._idle_wait_seconds)
        report_gaps(self, _log_gap)
        observe_fetches(self, self._record_fetch)
        self._coordinator_known_at = time.monotonic()

    async def commit(self, offsets: Any = None) -> None:
        """aiokafka's waits for ever while the group's coordinator is away.

        A commit that is given up is no loss: the next one covers it, and until then a redelivered
        record meets its inbox row.
        """
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                await super().commit(offsets)
        except KafkaError as error:
            self._errors.record(error)
            raise

    async def getone(self, *partitions: TopicPartition) -> ConsumerRecord[Any, Any]:
        """The next record."""
        try:
            record: ConsumerRecord[Any, Any] = await super().getone(*partitions)
        except KafkaError as error:
            self._errors.record(error)
            raise
        self._errors.record(None)
        return record

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Records:
        """The next records; an empty answer comes after `BATCH_WAIT_MS` at the earliest.

        Raises what aiokafka's raises, with every position as it was.
        """
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
            self._errors.record(error)
            raise
        if found:
            self._errors.record(None)
        return found

    def lasting_error(self, at_least_seconds: float) -> BaseException | None:
        """The error that has come again and again for so long, up to now."""
        return self._errors.lasting(at_least_seconds)

    def outage(self, at_least_seconds: float) -> str:
        """What it has waited for since so long, and goes on to try by itself; empty: nothing.

        To be asked every few seconds: whether a coordinator is known is only looked at then.
        """
        now = time.monotonic()
        if not lacks_coordinator(self):
            self._coordinator_known_at = now
        elif now - self._coordinator_known_at >= at_least_seconds:
            return "no coordinator of its group answers; too few of Kafka's nodes may be there"
        for node, errors in self._fetch_errors.items():
            if error := errors.lasting(at_least_seconds):
                return f"node {node} has records to read and does not answer: {error!r}"
        return ""

    def _record_fetch(self, node: int, error: KafkaError | None) -> None:
        self._fetch_errors.setdefault(node, _LastingError()).record(error)


class _LastingError:
    """An error that comes again and again, and since when."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._since = self._at = 0.0

    def record(self, error: BaseException | None) -> None:
        """It came (again), or what it kept from happening has happened: None."""
        now = time.monotonic()
        if self._error is None or now - self._at > ERROR_MEMORY_SECONDS:
            self._since = now
        self._error, self._at = error, now

    def lasting(self, at_least_seconds: float) -> BaseException | None:
        """The error, if it has come for so long, up to now."""
        is_over = time.monotonic() - self._at > ERROR_MEMORY_SECONDS
        return None if is_over or self._at - self._since < at_least_seconds else self._error


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
