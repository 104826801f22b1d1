"""The coordinator's stores in memory, and a coordinator built on them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import JobState, WorkerReported
from archon_contracts.identifiers import derived_id
from archon_contracts.values import AgentProfile, ArtifactRef, ModelRef
from services.coordinator.agents import AgentService
from services.coordinator.domain import (
    AgentKey,
    ConfiguredAgent,
    Job,
    JobTransition,
    Window,
    WindowClaim,
)
from services.coordinator.feedback.records import (
    FeedbackRow,
    InteractionRow,
    InternalTraffic,
    RetractionRow,
)
from services.coordinator.feedback.stats import (
    FeedbackStats,
    InsertResult,
    NewIds,
    RetractionResult,
    StoredFeedback,
)
from services.coordinator.jobs.deadlines import JobLimits
from services.coordinator.jobs.dispatcher import CommandDispatcher
from services.coordinator.jobs.spans import CompletedSpan
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.lifecycle import JobLifecycle
from services.coordinator.requests import RequestService
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.sources import SourcePublisher
from services.coordinator.retraining.windows import Windows
from services.coordinator.scheduling.fair_share import QueuedJob, RunningJob
from services.coordinator.scheduling.slots import SlotAllocator
from services.coordinator.service import JobService
from services.coordinator.worker import SourceWorker
from shared.errors import PermanentError
from shared.messaging.messages import Cause, RawRecord
from shared.work.queue import Lease
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON
from tests.support.messaging.outbox import RecordingOutbox

HOUR = 3600.0
LIMITS = JobLimits(
    stay_seconds=dict.fromkeys(list(JobState)[:8], HOUR), max_dispatches=3, max_attempts=3
)


class MemoryStore:
    """Agents, jobs and slots. Passes `tests/contract/coordinator`."""

    def __init__(self) -> None:
        self.agents: dict[AgentKey, ConfiguredAgent] = {}
        self.deployed_since: dict[AgentKey, datetime] = {}
        self.jobs: dict[UUID, Job] = {}
        self.history: dict[UUID, list[JobTransition]] = {}
        self.events: list[tuple[UUID, JobState | None, JobEvent | None, JobState]] = []
        self.workers: dict[str, tuple[WorkerReported, datetime]] = {}
        self.stats: dict[AgentKey, FeedbackStats] = {}
        self.served_at: dict[str, datetime] = {}

    async def lock_profile(self, _tx: object, key: AgentKey) -> AgentProfile | None:
        return self.agents[key].profile if key in self.agents else None

    async def put_agent(self, _tx: object, command: ConfigureAgent, _now: datetime) -> None:
        key = AgentKey(command.tenant_id, command.agent_id)
        deployed = self.agents[key].deployed if key in self.agents else None
        self.agents[key] = ConfiguredAgent(key, command.profile, deployed)
        stats = self.stats.get(key)
        revision = stats.profile_revision + 1 if stats else 1
        stats = stats or FeedbackStats(tenant_id=key.tenant_id, agent_id=key.agent_id)
        self.stats[key] = replace(stats, profile_revision=revision)

    async def find_agent(self, _tx: object, key: AgentKey) -> ConfiguredAgent | None:
        return self.agents.get(key)

    async def set_deployed(
        self, _tx: object, key: AgentKey, deployed: ModelRef, since: datetime
    ) -> None:
        """An older fact never replaces a newer one."""
        if key in self.agents and self.deployed_since.get(key, since) <= since:
            self.agents[key] = replace(self.agents[key], deployed=deployed)
            self.deployed_since[key] = since

    async def insert_job(self, _tx: object, job: Job) -> bool:
        if job.job_id in self.jobs:
            return False
        self.jobs[job.job_id] = job
        return True

    async def update_job(self, _tx: object, job: Job, *, known_version: int) -> bool:
        if self.jobs[job.job_id].version != known_version:
            return False
        self.jobs[job.job_id] = job
        return True

    async def insert_transition(
        self,
        _tx: object,
        job: Job,
        *,
        from_state: JobState | None,
        event: JobEvent | None,
        reason: str,
    ) -> None:
        self.history.setdefault(job.job_id, []).append(JobTransition(job.state, job.state_since))
        self.events.append((job.job_id, from_state, event, job.state))
        if job.state is JobState.TRAINING:
            self.served_at[job.key.tenant_id] = job.state_since

    async def transitions(self, _tx: object, job_id: UUID) -> list[JobTransition]:
        return list(self.history.get(job_id, []))

    async def lock_job(self, _tx: object, job_id: UUID) -> Job | None:
        return self.jobs.get(job_id)

    async def lock_next_requested(self, _tx: object, key: AgentKey) -> Job | None:
        requested = [job for job in self._in(JobState.REQUESTED) if job.key == key]
        return min(requested, key=lambda job: (job.created_at, job.job_id), default=None)

    def across_tenants(self, _tx: object) -> contextlib.AbstractAsyncContextManager[None]:
        """All tenants are here."""
        return contextlib.nullcontext()

    async def lock_scheduler(self, _tx: object) -> None:
        """Nobody else is here."""

    async def lock_overdue_job(self, _tx: object, now: datetime) -> Job | None:
        due = [job for job in self.jobs.values() if job.deadline_at and job.deadline_at <= now]
        return min(due, key=lambda job: job.deadline_at or now, default=None)

    async def queued_jobs(self, _tx: object, *, most: int) -> list[QueuedJob]:
        """The first of each tenant, then the second of each, and so on."""
        by_tenant: dict[str, list[Job]] = {}
        for job in sorted(
            self._in(JobState.QUEUED), key=lambda job: (-job.priority, job.state_since, job.job_id)
        ):
            by_tenant.setdefault(job.key.tenant_id, []).append(job)
        placed = [
            (place, self.served_at.get(tenant), job)
            for tenant, jobs in by_tenant.items()
            for place, job in enumerate(jobs)
        ]
        placed.sort(
            key=lambda each: (
                each[0],
                each[1] is not None,
                each[1] or each[2].state_since,
                each[2].state_since,
                each[2].job_id,
            )
        )
        return [
            QueuedJob(job.job_id, *job.key, job.priority, job.state_since, served)
            for _, served, job in placed[:most]
        ]

    async def running_jobs(self, _tx: object) -> list[RunningJob]:
        return [RunningJob(*job.key) for job in self._in(JobState.TRAINING)]

    async def lock_queued_job(self, _tx: object, job_id: UUID) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job and job.state is JobState.QUEUED else None

    async def reported_slots(self, _tx: object, service: str, since: datetime) -> list[int]:
        return [
            report.slots
            for report, reported_at in self.workers.values()
            if report.service == service and reported_at > since
        ]

    async def put_worker(self, _tx: object, report: WorkerReported, now: datetime) -> None:
        self.workers[report.worker_id] = (report, now)

    def _in(self, state: JobState) -> list[Job]:
        return [job for job in self.jobs.values() if job.state is state]


@dataclass(slots=True)
class StoredRow:
    """A feedback row and what became of it."""

    row: FeedbackRow
    received_at: datetime
    window_id: UUID | None = None
    retracted: bool = False

    @property
    def unused(self) -> bool:
        """Whether the next window may claim it."""
        return self.window_id is None and not self.retracted


class MemoryFeedback:
    """Feedback, its statistics and windows. Passes `tests/contract/coordinator`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.rows: dict[tuple[str, UUID], StoredRow] = {}
        self.retractions: set[tuple[str, UUID]] = set()
        self.internal_traffic: dict[UUID, InternalTraffic] = {}
        self.open_jobs: dict[AgentKey, UUID] = {}
        self.windows: list[tuple[Window, FeedbackStats, datetime]] = []

    @property
    def claimed(self) -> list[StoredRow]:
        """Rows in windows."""
        return [each for each in self.rows.values() if each.window_id is not None]

    def unused(self, key: AgentKey) -> list[StoredRow]:
        """The agent's rows in no window, oldest first."""
        rows = [each for each in self.rows.values() if each.row.key == key and each.unused]
        return sorted(rows, key=lambda each: each.received_at)

    def stats(self, key: AgentKey) -> FeedbackStats:
        """The counters as they stand."""
        unused = self.unused(key)
        ratings = [each.row.rating for each in unused if each.row.rating is not None]
        return replace(
            self._store.stats[key],
            unused=len(unused),
            rated=len(ratings),
            rating_sum=sum(ratings),
            oldest_unused_at=unused[0].received_at if unused else None,
            busy=key in self.open_jobs,
        )

    def _change(self, key: AgentKey, **fields: Any) -> None:
        """Update the agent's row; nothing where there is none, as an UPDATE."""
        if key in self._store.stats:
            self._store.stats[key] = replace(self._store.stats[key], **fields)

    async def find_configured(self, _tx: object, keys: Collection[AgentKey]) -> set[AgentKey]:
        return {key for key in keys if key in self._store.agents}

    async def lock_all_stats(self, _tx: object, keys: Collection[AgentKey]) -> dict[AgentKey, int]:
        known = [key for key in sorted(keys) if key in self._store.stats]
        return {key: number for number, key in enumerate(known, start=1)}

    async def lock_stats(self, _tx: object, key: AgentKey) -> FeedbackStats | None:
        return self.stats(key) if key in self._store.stats else None

    async def lock_due_stats(self, _tx: object, now: datetime) -> FeedbackStats | None:
        checks = {key: each.check_at for key, each in self._store.stats.items() if each.check_at}
        due = sorted((at, key) for key, at in checks.items() if at <= now)
        return self.stats(due[0][1]) if due else None

    async def set_check(self, _tx: object, key: AgentKey, check_at: datetime | None) -> None:
        self._change(key, check_at=check_at)

    async def set_open_job(self, _tx: object, key: AgentKey, job_id: UUID) -> None:
        self.open_jobs[key] = job_id
        self._change(key, check_at=None)

    async def clear_open_job(self, _tx: object, key: AgentKey, job_id: UUID) -> None:
        if self.open_jobs.get(key) == job_id:
            del self.open_jobs[key]

    async def count_unsuccessful_run(self, _tx: object, key: AgentKey, now: datetime) -> None:
        if key in self._store.stats:
            runs = self._store.stats[key].unsuccessful_runs + 1
            self._change(key, unsuccessful_runs=runs, last_unsuccessful_at=now)

    async def reset_unsuccessful_runs(self, _tx: object, key: AgentKey) -> None:
        self._change(key, unsuccessful_runs=0, last_unsuccessful_at=None)

    async def insert_feedback(
        self,
        _tx: object,
        feedback: Sequence[FeedbackRow],
        _agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> InsertResult:
        new: dict[tuple[str, UUID], StoredRow] = {}
        for place, row in enumerate(feedback):
            name = (row.key.tenant_id, row.event_id)
            if name not in self.rows and name not in new:
                new[name] = StoredRow(row, received_at + timedelta(microseconds=place))
        self.rows |= new
        changed = {each.row.key for each in new.values()}
        complete = len(new) == len(feedback)
        return InsertResult(
            len(new), [self.stats(key) for key in changed], None if complete else frozenset(new)
        )

    async def insert_interactions(
        self, _tx: object, _interactions: Sequence[InteractionRow], _received_at: datetime
    ) -> NewIds | None:
        """They decide nothing here; that they are stored once is tested on the database."""
        return None

    async def record_internal_traffic(
        self,
        _tx: object,
        traffic: Sequence[tuple[RawRecord, InternalTraffic]],
        _received_at: datetime,
    ) -> int:
        before = len(self.internal_traffic)
        self.internal_traffic |= {each.event_id: each for _, each in traffic}
        return len(self.internal_traffic) - before

    async def retract(
        self, _tx: object, retraction: RetractionRow, _now: datetime
    ) -> RetractionResult:
        name = (retraction.key.tenant_id, retraction.event_id)
        if name in self.retractions:
            return RetractionResult(is_new=False)
        self.retractions.add(name)
        named = (retraction.key, retraction.interaction_id, retraction.source)
        erased = [
            each
            for each in self.rows.values()
            if not each.retracted
            and (each.row.key, each.row.interaction_id, each.row.source) == named
        ]
        for each in erased:
            each.retracted = True
        used = tuple(each.row.event_id for each in erased if each.window_id is not None)
        changed = len(used) < len(erased)
        return RetractionResult(used, self.stats(retraction.key) if changed else None)

    async def claim(self, _tx: object, key: AgentKey, window_id: UUID, maximum: int) -> WindowClaim:
        taken = self.unused(key)[:maximum]
        for each in taken:
            each.window_id = window_id
        rows = [each.row for each in taken]
        ratings = [row.rating for row in rows if row.rating is not None]
        labels = [row.correct for row in rows if row.correct is not None]
        ids = "\n".join(sorted(str(row.event_id) for row in rows))
        return WindowClaim(
            feedback_count=len(rows),
            feedback_digest=hashlib.sha256(ids.encode()).hexdigest(),
            rated=len(ratings),
            rating_sum=sum(ratings),
            judged=len(labels),
            success_rate=sum(labels) / len(labels) if labels else None,
            completed_by=rows[-1].traceparent if rows else None,
        )

    async def insert_window(
        self, _tx: object, window: Window, reference: tuple[int, float], now: datetime
    ) -> None:
        """Keep it with the statistics as they were, so that a test can ask whether it was due."""
        self.windows.append((window, self.stats(window.key), now))
        self._change(
            window.key,
            windows=window.sequence,
            last_window_at=now,
            reference_rated=reference[0],
            reference_rating_sum=reference[1],
        )

    async def window_feedback(self, _tx: object, window_id: UUID) -> list[StoredFeedback]:
        rows = [each for each in self._in_window(window_id) if not each.retracted]
        return [
            StoredFeedback(
                each.row.event_id, each.row.source, each.row.rating, each.received_at, each.row.body
            )
            for each in rows
        ]

    async def window_contexts(self, _tx: object, window_id: UUID, *, most: int) -> list[str]:
        rows = [each.row for each in reversed(self._in_window(window_id)) if not each.retracted]
        contexts = [row.traceparent for row in rows if row.traceparent]
        return list(dict.fromkeys(contexts))[:most]

    def _in_window(self, window_id: UUID) -> list[StoredRow]:
        rows = [each for each in self.rows.values() if each.window_id == window_id]
        return sorted(rows, key=lambda each: each.received_at)


class MemoryArtifacts:
    """Folders in a dictionary."""

    def __init__(self) -> None:
        self.folders: dict[str, Mapping[str, bytes]] = {}

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

    async def enqueue(
        self, _tx: object, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID:
        work_id = derived_id("work", cause.id, kind, key)
        if work_id not in self.done:
            self.queued[work_id] = Lease(work_id, kind, key, payload, cause, work_id, 1, 3)
        return work_id

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

    def __init__(self) -> None:
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
        self.agent_queue = AgentQueue(
            self.feedback, store, windows, self.transitions, dispatcher, clock
        )
        self.lifecycle = JobLifecycle(
            self.transitions, dispatcher, self.agent_queue, self.slots, LIMITS
        )
        self.audit = RecordingAudit()
        self.agents = AgentService(store, self.agent_queue, outbox, self.audit, clock)
        self.jobs = JobService(store, self.lifecycle, self.agent_queue, self.slots)
        self.requests = RequestService(store, self.lifecycle, self.agent_queue, self.audit, clock)
        publisher = SourcePublisher(self.feedback, self.artifacts)
        self.source_worker = SourceWorker(self.jobs, publisher, self.work)

    async def do_work(self) -> None:
        """Do all work that is queued."""
        await self.work.do_all(self.source_worker)
