"""Transactions of HTTP requests; routes open all of theirs here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.messaging.notifier import Notifier
from shared.postgres.database import Database, Tx


class Transactions:
    """Commits, then wakes the relay, so that a command is published at once."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    @asynccontextmanager
    async def begin_write(self, tenant_id: str) -> AsyncIterator[Tx]:
        """One transaction on this tenant's rows, committed at the end of the block."""
        async with self._database.transaction(tenant_id) as tx:
            yield tx
        self._notifier.notify()

    @asynccontextmanager
    async def begin_read(self, tenant_id: str) -> AsyncIterator[Tx]:
        """One transaction for reads of this tenant's rows."""
        async with self._database.transaction(tenant_id) as tx:
            yield tx

    @asynccontextmanager
    async def across_tenants(self) -> AsyncIterator[Tx]:
        """As `begin_write`, on the rows of all tenants: for one batch of records of them all."""
        async with self._database.across_tenants() as tx:
            yield tx
        self._notifier.notify()
