"""Transactions of HTTP requests: routes open them here, and here alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.database import Database, Tx
from shared.wakeups import Wakeups


class Transactions:
    """Commits, then wakes the relay, so that a command leaves at once."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        self._database = database
        self._wakeups = wakeups

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Tx]:
        """One transaction, committed at the end of the block."""
        async with self._database.transaction() as tx:
            yield tx
        self._wakeups.ring()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """A connection for reads."""
        async with self._database.connection() as connection:
            yield connection
