"""The made-up service `probe` as a process of its own, to be killed, frozen and cut off.

It takes commands and stores each one's effect, publishes an event about it, and stores that event's
effect too. A command's `reason` says how to misbehave; `work` makes it long work under a lease.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import psutil
from pydantic import Field

from archon_contracts import topics
from archon_contracts.commands import RollBackModel
from archon_contracts.events import ModelArchived
from shared.kafka import watchdog
from shared.kafka.broker import Router, new_router, raw_subscription, subscription
from shared.messaging.messages import Message, RawRecord, read_message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx
from shared.process.application import Application, run
from shared.process.periodic import Periodic
from shared.process.service_context import ServiceContext
from shared.settings import ServiceSettings
from shared.work.queue import Lease, WorkQueue

INSERT_EFFECT = "INSERT INTO effects (step, event_id, key, number) VALUES ($1, $2, $3, $4)"
INSERT_WITNESS = "INSERT INTO witness (pid, rss_bytes, generation) VALUES ($1, $2, $3)"
WITNESS_SECONDS = 0.5


class ProbeSettings(ServiceSettings):
    """The mechanism's settings, and how the probe is to behave."""

    service: str = Field(default="probe", description="Name and schema of this probe.")
    probe_listens: bool = Field(default=True, description="Whether it consumes at all.")
    probe_slow_seconds: float = Field(default=0.0, ge=0, description="Added to a handler [s].")
    probe_clock_shift_seconds: float = Field(default=0.0, description="Its clock's error [s].")
    probe_batch: bool = Field(default=False, description="Whether it reads commands in batches.")
    probe_group: str = Field(default="", description="Consumer group, if not the service's own.")
    probe_blocked_loop_seconds: float = Field(default=60.0, gt=0, description="Watchdog's [s].")


class ShiftedClock:
    """The machine's clock, so many seconds wrong."""

    def __init__(self, shift_seconds: float) -> None:
        self._shift = timedelta(seconds=shift_seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift


class Probe:
    """Its use cases, and its work."""

    def __init__(self, outbox: Outbox, work: WorkQueue, slow_seconds: float) -> None:
        self._outbox = outbox
        self._work = work
        self._slow = slow_seconds

    async def handle(self, tx: Tx, message: Message[RollBackModel]) -> None:
        """Store the command's effect and publish an event about it."""
        body, event_id = message.body, message.envelope.id
        await self._behave(body.reason)
        number = int(body.to_version or 0)
        await tx.execute(INSERT_EFFECT, "handled", event_id, body.agent_id, number)
        if body.reason == "work":
            payload = {"agent_id": body.agent_id, "number": number, "event_id": str(event_id)}
            await self._work.enqueue(
                tx, kind="probe", key=str(event_id), payload=payload, cause=message.cause
            )
        event = ModelArchived(
            agent_id=body.agent_id, version_archived=str(number), reason=body.reason
        )
        await self._outbox.append(tx, event, cause=message.cause)

    async def consume(self, tx: Tx, message: Message[ModelArchived]) -> None:
        """Store the event under the id of the command that led to it."""
        body = message.body
        cause = message.envelope.causation_id
        await tx.execute(
            INSERT_EFFECT, "consumed", cause, body.agent_id, int(body.version_archived)
        )

    async def run(self, lease: Lease) -> dict[str, object]:
        """Work for a moment."""
        await asyncio.sleep(self._slow)
        return dict(lease.payload)

    async def complete(self, tx: Tx, _lease: Lease, result: dict[str, object]) -> None:
        """Store the work's end."""
        event_id = UUID(str(result["event_id"]))
        agent, number = str(result["agent_id"]), int(str(result["number"]))
        await tx.execute(INSERT_EFFECT, "worked", event_id, agent, number)

    async def give_up(self, tx: Tx, lease: Lease, _error: Exception) -> None:
        """Store that the work was not done."""
        await tx.execute(INSERT_EFFECT, "gave up", UUID(lease.key), "", 0)

    async def _behave(self, reason: str) -> None:
        match reason:
            case "kill":
                os.kill(os.getpid(), 9)
            case "raise":
                raise ValueError("this record always fails")
            case "wait":
                await asyncio.Event().wait()
            case "block":
                time.sleep(3600)  # noqa: ASYNC251  a handler that stops the whole loop
            case _ if self._slow:
                await asyncio.sleep(self._slow)


def build_router(shared: ServiceContext, probe: Probe, group: str, *, batch: bool) -> Router:
    """One consumer for commands and events, or one each and the commands in batches."""
    router = new_router()
    if not group:
        return router
    commands = () if batch else (topics.REGISTRY_COMMANDS,)
    messages = subscription(router, group, *commands, topics.MODELS)

    async def handle(message: Message[RollBackModel]) -> None:
        await shared.inbox.run_once(message, probe.handle)

    if batch:
        batches = raw_subscription(
            router, group, topics.REGISTRY_COMMANDS, group_suffix="batch", batch=True
        )

        @batches.on_batch
        async def handle_all(records: list[RawRecord]) -> None:
            for record in records:
                await handle(cast("Message[RollBackModel]", read_message(record)))

    else:
        messages.on(RollBackModel)(handle)

    @messages.on(ModelArchived)
    async def consume(message: Message[ModelArchived]) -> None:
        await shared.inbox.run_once(message, probe.consume)

    return router


def build_app(settings: ProbeSettings) -> Application:
    """The probe, ready to be served."""
    watchdog.BLOCKED_LOOP_SECONDS = settings.probe_blocked_loop_seconds
    shared = ServiceContext.build(settings, clock=ShiftedClock(settings.probe_clock_shift_seconds))
    probe = Probe(shared.outbox, shared.work, settings.probe_slow_seconds)
    group = (settings.probe_group or settings.service) if settings.probe_listens else ""
    router = build_router(shared, probe, group, batch=settings.probe_batch)
    shared.broker.include_router(router)

    async def store_witness() -> None:
        generations = [c._coordinator.generation for c in shared.broker.consumers]
        rss = psutil.Process().memory_info().rss
        async with shared.database.transaction() as tx:
            await tx.execute(INSERT_WITNESS, os.getpid(), rss, max(generations, default=0))

    worker = shared.worker({"probe": probe}, slots=2)
    witness = Periodic("witness", WITNESS_SECONDS, store_witness)
    return Application(shared, background=[worker, witness])


if __name__ == "__main__":
    run(ProbeSettings, build_app)
