"""Capacity reports on a real database."""

import asyncio
import contextlib

from archon_contracts.events import WorkerReported
from services.trainer.capacity import Capacity, CapacityReporter
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.stored import events_of


async def test_a_worker_reports_at_start_and_whenever_a_slot_changes_hands(
    database_url: str,
) -> None:
    capacity = Capacity("trainer@here", slots=1, devices=("cpu",))
    async with open_service_context(probe_settings(database_url, service="trainer")) as shared:

        async def reported(*busy: int) -> bool:
            events = await events_of(shared.database)
            return [e.busy for e in events if isinstance(e, WorkerReported)] == list(busy)

        reporting = asyncio.create_task(CapacityReporter(capacity, shared, every_seconds=60).run())
        await eventually(lambda: reported(0))
        with capacity.reserve_slot():
            await eventually(lambda: reported(0, 1))
        await eventually(lambda: reported(0, 1, 0))
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
