"""How much this worker can take: reported to the coordinator when it changes and at an interval."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from archon_contracts.events import Capability, WorkerReported
from archon_contracts.identifiers import new_id
from shared.errors import RetryableError
from shared.logging import get_logger
from shared.messaging.messages import Cause
from shared.messaging.notifier import Waiter
from shared.process.service_context import ServiceContext

log = get_logger(__name__)


class Capacity:
    """Slots of this worker and how many are taken."""

    def __init__(
        self,
        worker_id: str,
        *,
        slots: int,
        devices: tuple[str, ...],
        capabilities: tuple[Capability, ...] = (),
    ) -> None:
        self._worker_id = worker_id
        self._slots = slots
        self._devices = devices
        self._capabilities = capabilities
        self._busy: Counter[str] = Counter()
        self.changed = Waiter()

    @contextmanager
    def reserve_slot(self) -> Iterator[str]:
        """One slot is taken while the block runs; gives the device with the fewest runs."""
        device = min(self._devices, key=self._busy.__getitem__, default="cpu")
        self._busy[device] += 1
        self.changed.notify()
        try:
            yield device
        finally:
            self._busy[device] -= 1
            self.changed.notify()

    def report(self) -> WorkerReported:
        """The present state as an event."""
        return WorkerReported(
            worker_id=self._worker_id,
            service="trainer",
            slots=self._slots,
            busy=self._busy.total(),
            devices=self._devices,
            memory_mb=_machine_memory_mb(),
            capabilities=self._capabilities,
        )


class CapacityReporter:
    """A background task that sends the reports; the first one at start."""

    name = "capacity reports"

    def __init__(self, capacity: Capacity, shared: ServiceContext, *, every_seconds: float) -> None:
        self._capacity = capacity
        self._shared = shared
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._report()
            await self._capacity.changed.wait(self._every_seconds)

    async def _report(self) -> None:
        # Nothing caused it but time, so that each report begins a chain of its own.
        event_id = new_id()
        try:
            async with self._shared.database.transaction() as tx:
                cause = Cause(event_id, str(event_id))
                await self._shared.outbox.append(tx, self._capacity.report(), cause=cause)
            self._shared.notifier.notify()
        except RetryableError as error:
            log.warning("capacity_not_reported", reason=str(error))


def _machine_memory_mb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
