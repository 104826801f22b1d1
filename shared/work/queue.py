"""Work longer than a message: a row, leased by one worker at a time and fenced by a token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from archon_contracts.identifiers import derived_id
from shared.errors import DatabaseUnavailable, LeaseLost, LeaseNotRenewed, WorkerStalled
from shared.messaging.messages import Cause
from shared.messaging.notifier import Notifier
from shared.postgres.database import Database, Tx
from shared.postgres.queries import load_queries
from shared.telemetry.spans import current_traceparent

_queries = load_queries("shared")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one item of work; later writes must carry its token."""

    id: UUID
    kind: str
    key: str
    payload: dict[str, Any]
    cause: Cause
    token: UUID
    attempt: int
    max_attempts: int

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the message that caused the work."""
        return self.payload.get("tenant_id")


class WorkQueue:
    """The `work` table of one service."""

    def __init__(self, database: Database, notifier: Notifier, *, lease_seconds: float) -> None:
        self._database = database
        self._notifier = notifier
        self.lease_seconds = lease_seconds

    async def enqueue(
        self,
        tx: Tx,
        *,
        kind: str,
        key: str,
        payload: dict[str, Any],
        cause: Cause,
        priority: int = 0,
        max_attempts: int = 3,
    ) -> UUID:
        """Add a row in the caller's transaction; the same cause, kind and key add it once.

        The current span becomes the parent of the work's span.
        """
        work_id = derived_id("work", cause.id, kind, key)
        await _queries.enqueue_work(
            tx,
            id=work_id,
            kind=kind,
            key=key,
            payload=payload,
            cause={
                "id": str(cause.id),
                "correlation_id": cause.correlation_id,
                "traceparent": cause.traceparent or current_traceparent(),
            },
            priority=priority,
            max_attempts=max_attempts,
        )
        return work_id

    async def cancel(self, tx: Tx, *, kind: str, key: str) -> int:
        """Cancel open rows of a key; a running worker finds its lease gone. Returns how many."""
        status: str = await _queries.cancel_work(tx, kind=kind, key=key)
        # The server's command tag, such as `UPDATE 2`.
        return int(status.rsplit(" ", 1)[-1])

    async def lease(self, kinds: list[str], owner: str) -> Lease | None:
        """Take the next due row, or None."""
        async with self._database.transaction() as tx:
            row = await _queries.lease_work(
                tx,
                kinds=kinds,
                owner=owner,
                # A new token for each lease: writes of whoever had the row before are refused.
                token=uuid4(),
                lease_seconds=self.lease_seconds,
            )
        if row is None:
            return None
        cause = row["cause"]
        return Lease(
            id=row["id"],
            kind=row["kind"],
            key=row["key"],
            payload=row["payload"],
            cause=Cause(UUID(cause["id"]), cause["correlation_id"], cause["traceparent"]),
            token=row["token"],
            attempt=row["attempts"],
            max_attempts=row["max_attempts"],
        )

    async def renew(self, lease: Lease) -> None:
        """Prolong the lease by the database's clock.

        Raises:
            LeaseLost: it ran out and went to another worker, or the work was cancelled.
        """
        async with self._database.transaction() as tx:
            renewed = await _queries.renew_lease(
                tx, id=lease.id, token=lease.token, lease_seconds=self.lease_seconds
            )
        if not renewed:
            raise LeaseLost(f"the lease of {lease.kind} {lease.key} is gone")

    @asynccontextmanager
    async def guarded(self, lease: Lease) -> AsyncIterator[Tx]:
        """A transaction in which the lease certainly holds; notifies the relay after its commit.

        It is of the work's tenant.

        Raises:
            LeaseLost: the lease is gone; nothing is written.
        """
        async with self._database.transaction(lease.tenant_id) as tx:
            # Locked to the commit: nobody can take the lease between this check and the writes.
            if not await _queries.lock_lease(tx, id=lease.id, token=lease.token):
                raise LeaseLost(f"the lease of {lease.kind} {lease.key} is gone")
            yield tx
        self._notifier.notify()

    async def finish(self, tx: Tx, lease: Lease, *, state: str, error: str = "") -> None:
        """End the row in the caller's guarded transaction: `done` or `failed`."""
        await _queries.finish_work(
            tx, id=lease.id, token=lease.token, state=state, error=error or None
        )

    async def retry(self, tx: Tx, lease: Lease, *, delay_seconds: float, error: str) -> None:
        """Queue the row again in the caller's guarded transaction."""
        await _queries.retry_work(
            tx, id=lease.id, token=lease.token, delay_seconds=delay_seconds, error=error
        )

    async def release(self, lease: Lease) -> None:
        """Release the work unfinished, at shutdown; the attempt does not count."""
        async with self._database.transaction() as tx:
            await _queries.release_work(tx, id=lease.id, token=lease.token)

    async def find_last_error(self, tx: Tx, *, kind: str, key: str) -> str | None:
        """Why the last try of open work of a key failed; None: it has not failed."""
        error: str | None = await _queries.last_work_error(tx, kind=kind, key=key)
        return error

    async def seconds_to_next(self, kinds: list[str]) -> float | None:
        """Seconds until a row may be due; None when there is no open row."""
        async with self._database.connection() as connection:
            seconds: float | None = await _queries.seconds_to_next_work(connection, kinds=kinds)
        return seconds

    @asynccontextmanager
    async def renewed(self, lease: Lease) -> AsyncIterator[None]:
        """Renew the lease while the block runs, which is cancelled when the lease may have expired.

        Raises:
            LeaseLost: it is gone.
            LeaseNotRenewed: it ran out by our clock; a worker that alone lost the database must
                not go on beside the one that has taken the work.
            WorkerStalled: it ran out before this process came to ask for its renewal.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a lease is kept inside a task")
        # Counted from here: the block may hold up the loop before the first renewal is planned.
        end = asyncio.get_running_loop().time() + self.lease_seconds
        lost: list[Exception] = []

        async def renew() -> None:
            try:
                await self._renew_until_lost(lease, end)
            except Exception as error:  # noqa: BLE001  whatever it is, the lease is not kept
                lost.append(error)
                task.cancel()

        renewing = asyncio.create_task(renew(), name=f"lease {lease.key}")
        try:
            yield
        except asyncio.CancelledError:
            if lost:
                # Our own cancellation and none from outside: the error takes its place.
                task.uncancel()
                raise lost[0] from None
            raise
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _renew_until_lost(self, lease: Lease, end: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked: list[float] = []
            # A task of its own: a query that hangs may take its time to be cancelled as well.
            renewal = asyncio.create_task(self._renewed_until(lease, asked))
            try:
                done, _ = await asyncio.wait({renewal}, timeout=end - loop.time())
            finally:
                renewal.cancel()
            if not done:
                # Who never asked in time was held up by its own work, which would hold up the
                # next one too: such a try counts, or the work would be leased for ever.
                stalled = not any(at < end for at in asked)
                raise (WorkerStalled if stalled else LeaseNotRenewed)(
                    f"the lease of {lease.kind} {lease.key} was not renewed for "
                    f"{self.lease_seconds:g} s"
                )
            end = renewal.result()

    async def _renewed_until(self, lease: Lease, asked_at: list[float]) -> float:
        """Renew it when a third of its time is over; returns until when it then holds.

        The times at which the database was asked are added to `asked_at`.
        """
        loop = asyncio.get_running_loop()
        while True:
            # At a third of the time two renewals may fail before the lease runs out.
            await asyncio.sleep(self.lease_seconds / 3)
            # Counted from the question: the database's lease began later, so ours never ends after
            # it.
            asked = loop.time()
            asked_at.append(asked)
            with contextlib.suppress(DatabaseUnavailable):
                await self.renew(lease)
                return asked + self.lease_seconds
