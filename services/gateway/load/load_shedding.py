"""Load shedding: commands by the outbox backlog, feedback by what is not acknowledged yet.

Reads are never shed.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from services.gateway.errors import Overloaded
from services.gateway.load.outbox_backlog import (
    MAX_WAIT_SECONDS,
    OutboxBacklog,
    OutboxLimits,
    estimate_drain_seconds,
)
from services.gateway.load.store import OutboxBacklogStore
from shared.errors import ArchonError
from shared.logging import get_logger
from shared.postgres.database import Database

MAX_COUNTED_ROWS: Final = 10_000
"""Rows counted per poll where the backlog has no limit."""

log = get_logger(__name__)


class OutboxMonitor:
    """Polls the outbox, so that a request need not query it."""

    def __init__(
        self,
        database: Database,
        store: OutboxBacklogStore,
        limits: OutboxLimits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._store = store
        self._limits = limits
        self._monotonic = monotonic
        self._seen: tuple[float, OutboxBacklog] | None = None
        self._overload: Overloaded | None = None

    async def poll(self) -> None:
        """Measure the backlog. While the database is away it is unknown, and nothing is shed."""
        # Twice the limit: a backlog above it can be seen to shrink, and the count stays bounded.
        limit = 2 * self._limits.backlog or MAX_COUNTED_ROWS
        try:
            async with self._database.connection() as connection:
                waiting = await self._store.measure(connection, limit=limit)
        except ArchonError:
            self._seen, self._overload = None, None
            raise
        self.evaluate(waiting)

    def evaluate(self, waiting: OutboxBacklog) -> None:
        """Decide from this backlog and the one before whether commands are accepted."""
        now = self._monotonic()
        then, before = self._seen or (now, None)
        self._seen = now, waiting
        broken = self._limits.find_exceeded(waiting)
        was, self._overload = self._overload, None
        if broken is not None:
            name, reason = broken
            # By number there is room again at the limit; by age, only when the oldest row has left.
            keep = self._limits.backlog if name == "outbox_backlog" else 0
            wait = estimate_drain_seconds(before, waiting, between=now - then, keep=keep)
            self._overload = Overloaded(name, f"{reason} to be published", wait)
        if (was is None) != (broken is None):
            log.warning("commands_shed" if broken else "commands_accepted_again", limit=broken)

    @property
    def overload(self) -> Overloaded | None:
        """The limit that is exceeded now, if any."""
        return self._overload

    def require_room(self) -> None:
        """Refuse a request that would add a row to the outbox.

        Raises:
            Overloaded: the backlog is over a limit.
        """
        if (over := self._overload) is not None:
            # A new one: an instance that is raised again and again collects tracebacks.
            raise Overloaded(over.limit, over.reason, over.retry_after_seconds)


class InFlightLimit:
    """Amount in flight in this process, of one unit; a limit of 0 is no limit.

    One tenant may reserve a fraction of it, so that its load leaves room for the others.
    """

    def __init__(
        self,
        name: str,
        limit: int,
        unit: str,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        tenant_fraction: float = 1.0,
        until: str = "acknowledged",
    ) -> None:
        self._name = name
        self._max = limit
        self._max_per_tenant = max(1, math.floor(limit * tenant_fraction))
        self._unit = unit
        self._until = until
        self._monotonic = monotonic
        self._reservations: dict[Reservation, float] = {}  # in order: the first is the oldest
        self._reserved_by: Counter[str] = Counter()
        self.reserved = 0

    @contextmanager
    def reserve(self, amount: int, tenant_id: str) -> Iterator[Reservation]:
        """Reserve `amount` while the block runs, and what is added to it in the block.

        A single reservation is accepted whatever its size.

        Raises:
            Overloaded: the limit, of all or of this tenant, would be exceeded.
        """
        reservation = Reservation(self, tenant_id)
        reservation.add(amount)
        self._reservations[reservation] = self._monotonic()
        try:
            yield reservation
        finally:
            del self._reservations[reservation]
            self.count(tenant_id, -reservation.amount)

    @property
    def overload(self) -> Overloaded | None:
        """The limit if it is exceeded for all tenants, else None."""
        return self._overloaded() if self._max and self.reserved >= self._max else None

    def require_room(self, tenant_id: str, amount: int = 1, own: int = 0) -> None:
        """Refuse before any work is done. `own` is what the request has reserved already.

        Raises:
            Overloaded: there is no room for so much more, among all or in the tenant's fraction.
        """
        if not self._max:
            return
        for reserved, limit in (
            (self.reserved, self._max),
            (self._reserved_by[tenant_id], self._max_per_tenant),
        ):
            if reserved > own and reserved + amount > limit:
                raise self._overloaded()

    def count(self, tenant_id: str, amount: int) -> None:
        """Add to the count, or subtract from it."""
        self.reserved += amount
        self._reserved_by[tenant_id] += amount
        # A counter of zero per name that was ever seen would grow without a bound.
        if not self._reserved_by[tenant_id]:
            del self._reserved_by[tenant_id]

    def _overloaded(self) -> Overloaded:
        oldest = next(iter(self._reservations.values()), self._monotonic())
        wait = min(self._monotonic() - oldest, MAX_WAIT_SECONDS)
        return Overloaded(
            self._name, f"{self.reserved} {self._unit} are not {self._until} yet", wait
        )


class Reservation:
    """The amount that one request has reserved."""

    def __init__(self, limit: InFlightLimit, tenant_id: str) -> None:
        self._limit = limit
        self._tenant_id = tenant_id
        self.amount = 0

    def add(self, amount: int) -> None:
        """Reserve more.

        Raises:
            Overloaded: there is no room for it; what is reserved already stays.
        """
        self._limit.require_room(self._tenant_id, amount, own=self.amount)
        self.amount += amount
        self._limit.count(self._tenant_id, amount)


@dataclass(frozen=True, slots=True)
class Backpressure:
    """All limits by which load is shed."""

    outbox: OutboxMonitor
    events: InFlightLimit
    size: InFlightLimit
    requests: InFlightLimit

    def describe_shedding(self) -> list[dict[str, str | int]]:
        """What is refused at present, with its reason and Retry-After."""
        overloads = (
            ("commands", self.outbox.overload),
            ("feedback", self.events.overload),
            ("feedback", self.size.overload),
            ("requests", self.requests.overload),
        )
        return [
            {
                "refused": refused,
                "limit": over.limit,
                "reason": over.reason,
                "retry_after_seconds": over.retry_after_seconds,
            }
            for refused, over in overloads
            if over is not None
        ]
