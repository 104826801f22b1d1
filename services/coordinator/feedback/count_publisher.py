"""Publishes what the intake counted: one FeedbackCounted per agent and second, not per batch."""

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
            try:
                await self.publish()
            except RetryableError as error:
                log.warning("counts_wait_for_database", reason=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
            await self._waiter.wait(POLL_SECONDS)

    async def publish(self) -> None:
        """Publish everything that was counted up to now.

        Raises:
            RetryableError: what was not committed is published by the next call.
        """
        while await self._publish_some() == MERGED_TRANSACTIONS:
            pass

    async def _publish_some(self) -> int:
        async with self._database.across_tenants() as tx:
            counted = await self._counts.claim_pending_counts(tx, MERGED_TRANSACTIONS)
            if counted:
                totals = CountTotals()
                for each in counted:
                    totals.add(each)
                for events in totals.batches():
                    # A new cause each time: the same agents' next counts are other events, and
                    # must not be taken for these.
                    cause_id = new_id()
                    await self._outbox.append_all(tx, events, cause=Cause(cause_id, str(cause_id)))
        if counted:
            self._notifier.notify()
        return len(counted)
