"""The coordinator's stores in memory, and a coordinator built on them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from archon_contracts.events import JobState
from archon_contracts.identifiers import derived_id
from archon_contracts.values import ArtifactRef
from services.coordinator.agents import AgentService
from services.coordinator.jobs.deadlines import JobLimits
from services.coordinator.jobs.dispatcher import CommandDispatcher
from services.coordinator.jobs.spans import CompletedSpan
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.lifecycle import JobLifecycle
from services.coordinator.requests import RequestService
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.awaited_feedback import AwaitedFeedback
from services.coordinator.retraining.fast_path import FastPath
from services.coordinator.retraining.sources import SourcePublisher
from services.coordinator.retraining.window_ends import WindowEnds
from services.coordinator.retraining.windows import Windows
from services.coordinator.retraining.withdrawals import Withdrawals
from services.coordinator.scheduling.slots import SlotAllocator
from services.coordinator.service import JobService
from services.coordinator.worker import SourceWorker
from shared.errors import PermanentError
from shared.messaging.messages import Cause
from shared.work.queue import Lease
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock
from tests.support.coordinator.memory_feedback import MemoryFeedback
from tests.support.coordinator.memory_store import MemoryStore
from tests.support.messaging.messages import NOON
from tests.support.messaging.outbox import RecordingOutbox

HOUR = 3600.0
LIMITS = JobLimits(
    stay_seconds=dict.fromkeys(list(JobState)[:8], HOUR), max_dispatches=3, max_attempts=3
)


def _read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class MemoryArtifacts:
    """Folders in a dictionary."""

    def __init__(self) -> None:
        self.folders: dict[str, Mapping[str, bytes]] = {}

    async def publish(self, folder: Path) -> ArtifactRef:
        return await self.publish_files(await asyncio.to_thread(_read_files, folder))

    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef:
        digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
        self.folders[digest] = files
        return ArtifactRef(uri=f"memory://{digest}", digest=digest)

    async def read(self, ref: ArtifactRef, name: str) -> bytes:
        return self.folders[ref.digest][name]


class MemorySpans:
    """Keeps finished spans."""

    def __init__(self) -> None:
        self.spans: list[CompletedSpan] = []

    async def write(self, _tx: object, span: CompletedSpan) -> None:
        self.spans.append(span)


class MemoryWork:
    """Queued work, done when the test says so; work is queued once for the same cause and key."""

    def __init__(self) -> None:
        self.queued: dict[UUID, Lease] = {}
        self.done: set[UUID] = set()
        self.errors: dict[tuple[str, str], str] = {}

    async def enqueue(
        self, _tx: object, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID:
        work_id = derived_id("work", cause.id, kind, key)
        if work_id not in self.done:
            self.queued[work_id] = Lease(work_id, kind, key, payload, cause, work_id, 1, 3)
        return work_id

    async def find_last_error(self, _tx: object, *, kind: str, key: str) -> str | None:
        return self.errors.get((kind, key))

    def guarded(self, _lease: Lease) -> contextlib.AbstractAsyncContextManager[Any]:
        """Nobody else is here."""
        return contextlib.nullcontext()

    async def do_all(self, handler: SourceWorker) -> None:
        """Do what is queued, and what that queues."""
        while self.queued:
            work_id, lease = next(iter(self.queued.items()))
            del self.queued[work_id]
            self.done.add(work_id)
            try:
                sources = await handler.run(lease)
            except PermanentError as error:
                await handler.give_up(None, lease, error)  # type: ignore[arg-type]  # no transaction
            else:
                await handler.complete(None, lease, sources)  # type: ignore[arg-type]  # as above


class MemoryDatabase:
    """Transactions that hold nothing; nothing is rolled back."""

    @contextlib.asynccontextmanager
    async def across_tenants(self) -> AsyncIterator[Any]:
        yield None


class InMemoryCoordinator:
    """The coordinator's rules on stores in memory."""

    def __init__(self, *, max_jobs: int = 0) -> None:
        self.max_jobs = max_jobs
        self.clock = SetClock(NOON)
        self.store = MemoryStore()
        self.feedback = MemoryFeedback(self.store)
        self.artifacts = MemoryArtifacts()
        self.spans = MemorySpans()
        self.outbox = RecordingOutbox()
        self.work = MemoryWork()
        self.restart()

    def restart(self) -> None:
        """Build everything anew on the same stores, as after a crash."""
        store, outbox, clock = self.store, self.outbox, self.clock
        self.transitions = JobTransitions(store, outbox, self.spans, LIMITS, clock)
        dispatcher = CommandDispatcher(store, outbox, self.work, revision="test")
        self.slots = SlotAllocator(
            store, self.transitions, dispatcher, clock, report_timeout_seconds=60
        )
        windows = Windows(self.feedback, self.spans, outbox, clock)
        fast_path = FastPath(self.feedback, clock)
        self.agent_queue = AgentQueue(
            self.feedback,
            store,
            AwaitedFeedback(self.feedback, self.transitions, clock, wait_seconds=60),
            windows,
            fast_path,
            Withdrawals(self.feedback, self.transitions, outbox, clock),
            self.transitions,
            dispatcher,
            outbox,
            clock,
        )
        self.window_ends = window_ends = WindowEnds(
            self.feedback, self.feedback, store, outbox, clock
        )
        self.lifecycle = JobLifecycle(
            self.transitions,
            dispatcher,
            self.agent_queue,
            self.slots,
            window_ends,
            store,
            LIMITS,
            clock,
        )
        self.audit = RecordingAudit()
        self.agents = AgentService(store, self.agent_queue, window_ends, outbox, self.audit, clock)
        self.jobs = JobService(store, self.lifecycle, self.agent_queue, self.slots, window_ends)
        self.requests = RequestService(
            store,
            self.lifecycle,
            self.agent_queue,
            window_ends,
            self.audit,
            clock,
            max_jobs=self.max_jobs,
        )
        publisher = SourcePublisher(self.feedback, store, self.artifacts)
        self.source_worker = SourceWorker(self.jobs, publisher, self.work, self.feedback)

    async def do_work(self) -> None:
        """Do all work that is queued."""
        await self.work.do_all(self.source_worker)
