"""Publishes what the intake counted: one FeedbackCounted per agent and pause, not per batch."""

from __future__ import annotations

import asyncio
from typing import Final

from archon_contracts.identifiers import new_id
from services.coordinator.feedback.counting import CountTotals
from services.coordinator.feedback.ports import FeedbackOutbox, PendingCounts
from shared.errors import RetryableError
from shared.logging import get_logger
from shared.messaging.messages import Cause
from shared.messaging.notifier import Notifier, Waiter
from shared.postgres.database import Database

PAUSE_SECONDS: Final = 1.0
"""Between two publications: counters are for people to read, who see no difference."""
MESSAGES_PER_SECOND: Final = 100
"""On average: many agents have longer pauses. A message costs its row, its relay and its span as
much as some twenty events of feedback."""
POLL_SECONDS: Final = 30.0
"""For counts of another process that ended before it published them."""
MERGED_TRANSACTIONS: Final = 500
"""Taken at once; an intake that was never published for an hour must not fill the memory."""

log = get_logger(__name__)


class CountPublisher:
    """Moves counts of committed transactions to the outbox, added up; each is moved once."""

    name = "feedback counts"

    def __init__(
        self, database: Database, notifier: Notifier, counts: PendingCounts, outbox: FeedbackOutbox
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._waiter: Waiter = notifier.add_waiter()
        self._counts = counts
        self._outbox = outbox

    async def run(self) -> None:
        """Publish when something was counted, until cancelled."""
        while True:
            published = 0
            try:
                published = await self.publish()
            except RetryableError as error:
                log.warning("counts_wait_for_database", reason=str(error))
            await asyncio.sleep(max(PAUSE_SECONDS, published / MESSAGES_PER_SECOND))
            await self._waiter.wait(POLL_SECONDS)

    async def publish(self) -> int:
        """Publish everything that was counted up to now, and return the number of messages.

        Raises:
            RetryableError: what was not committed is published by the next call.
        """
        published = 0
        while True:
            transactions, messages = await self._publish_some()
            published += messages
            if transactions < MERGED_TRANSACTIONS:
                return published

    async def _publish_some(self) -> tuple[int, int]:
        """The numbers of transactions whose counts were taken, and of messages."""
        published = 0
        async with self._database.across_tenants() as tx:
            counted = await self._counts.claim_pending_counts(tx, MERGED_TRANSACTIONS)
            if counted:
                totals = CountTotals()
                for each in counted:
                    totals.add(each)
                unused = await self._counts.unused_feedback(tx, totals.agents())
                for events in totals.batches(unused):
                    published += len(events)
                    # A new cause each time: the same agents' next counts are other events, and
                    # must not be taken for these.
                    cause_id = new_id()
                    await self._outbox.append_all(tx, events, cause=Cause(cause_id, str(cause_id)))
        if counted:
            self._notifier.notify()
        return len(counted), published
