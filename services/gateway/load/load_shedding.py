"""Load is refused before the gateway drowns: commands by what waits in the outbox, feedback by
what is not acknowledged yet. Reads are never refused for it.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from opentelemetry import metrics

from archon_contracts import telemetry
from services.gateway.errors import Overloaded
from services.gateway.load.outbox_pressure import (
    LONGEST_WAIT_SECONDS,
    OutboxLimits,
    Waiting,
    drain_seconds,
)
from shared.errors import ArchonError
from shared.logging import get_logger
from shared.postgres.database import Database, Tx

MOST_COUNTED: Final = 10_000
"""Rows that a look counts where no backlog is too long."""

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
age_gauge = meter.create_gauge(telemetry.METRIC_OUTBOX_AGE, unit="s")


class WaitingStore(Protocol):
    """What is needed of the store."""

    async def outbox_waiting(self, tx: Tx, *, most: int) -> Waiting: ...


class OutboxWatch:
    """Looks at the outbox now and then, so that a request need not."""

    def __init__(
        self,
        database: Database,
        store: WaitingStore,
        limits: OutboxLimits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._store = store
        self._limits = limits
        self._monotonic = monotonic
        self._seen: tuple[float, Waiting] | None = None
        self._overload: Overloaded | None = None

    async def look(self) -> None:
        """See what waits. While the database is away nothing is known, and nothing shed."""
        most = 2 * self._limits.backlog or MOST_COUNTED
        try:
            async with self._database.connection() as connection:
                waiting = await self._store.outbox_waiting(connection, most=most)
        except ArchonError:
            self._seen, self._overload = None, None
            raise
        age_gauge.set(waiting.age_seconds)
        self.judge(waiting)

    def judge(self, waiting: Waiting) -> None:
        """Decide from what waits now, and waited before, whether commands are taken."""
        now = self._monotonic()
        then, before = self._seen or (now, None)
        self._seen = now, waiting
        broken = self._limits.broken_by(waiting)
        was, self._overload = self._overload, None
        if broken is not None:
            name, says = broken
            keep = self._limits.backlog if name == "outbox_backlog" else 0
            wait = drain_seconds(before, waiting, between=now - then, keep=keep)
            self._overload = Overloaded(name, f"{says} to be published", wait)
        if (was is None) != (broken is None):
            log.warning("commands_shed" if broken else "commands_taken_again", limit=broken)

    @property
    def overload(self) -> Overloaded | None:
        """What is too much now, if anything."""
        return self._overload

    def require_room(self) -> None:
        """Refuse what would be one more row of the outbox.

        Raises:
            Overloaded: too much waits, or for too long.
        """
        if (over := self._overload) is not None:
            raise Overloaded(over.limit, over.reason, over.retry_after_seconds)


class Budget:
    """What is in flight in this process, of one kind; a budget of 0 is no limit.

    One tenant may hold a share of it, so that its load leaves room for the others.
    """

    def __init__(
        self,
        name: str,
        most: int,
        unit: str,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        share: float = 1.0,
    ) -> None:
        self._name = name
        self._most = most
        self._most_of_one = max(1, math.floor(most * share))
        self._unit = unit
        self._monotonic = monotonic
        self._holdings: dict[Holding, float] = {}  # in order: the first is the oldest
        self._held_by: Counter[str] = Counter()
        self.held = 0

    @contextmanager
    def hold(self, amount: int, tenant_id: str) -> Iterator[Holding]:
        """Count `amount` while the block runs, and what is added to it in the block.

        What is alone is taken whatever its size.

        Raises:
            Overloaded: with it there would be too much, of all or of this tenant.
        """
        holding = Holding(self, tenant_id)
        holding.add(amount)
        self._holdings[holding] = self._monotonic()
        try:
            yield holding
        finally:
            del self._holdings[holding]
            self.count(tenant_id, -holding.amount)

    @property
    def overload(self) -> Overloaded | None:
        """What is too much now for everybody, if anything."""
        return self._overloaded() if self._most and self.held >= self._most else None

    def require_room(self, tenant_id: str, amount: int = 1, own: int = 0) -> None:
        """Refuse before any work is done for it. `own` is what the asker holds already.

        Raises:
            Overloaded: there is no room for so much more, among all or in the tenant's share.
        """
        if not self._most:
            return
        for held, most in ((self.held, self._most), (self._held_by[tenant_id], self._most_of_one)):
            if held > own and held + amount > most:
                raise self._overloaded()

    def count(self, tenant_id: str, amount: int) -> None:
        """Take so much into the count, or out of it."""
        self.held += amount
        self._held_by[tenant_id] += amount
        if not self._held_by[tenant_id]:
            del self._held_by[tenant_id]

    def _overloaded(self) -> Overloaded:
        oldest = next(iter(self._holdings.values()), self._monotonic())
        wait = min(self._monotonic() - oldest, LONGEST_WAIT_SECONDS)
        return Overloaded(self._name, f"{self.held} {self._unit} are not acknowledged yet", wait)


class Holding:
    """One request's part of a budget."""

    def __init__(self, budget: Budget, tenant_id: str) -> None:
        self._budget = budget
        self._tenant_id = tenant_id
        self.amount = 0

    def add(self, amount: int) -> None:
        """Hold so much more.

        Raises:
            Overloaded: there is no room for it; what is held already stays.
        """
        self._budget.require_room(self._tenant_id, amount, own=self.amount)
        self.amount += amount
        self._budget.count(self._tenant_id, amount)


@dataclass(frozen=True, slots=True)
class Pressure:
    """All that load is shed by."""

    outbox: OutboxWatch
    events: Budget
    size: Budget

    def shedding(self) -> list[dict[str, str | int]]:
        """What is refused at present, and until when: nothing, mostly."""
        overloads = (
            ("commands", self.outbox.overload),
            ("feedback", self.events.overload),
            ("feedback", self.size.overload),
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
