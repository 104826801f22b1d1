"""The coordinator's stores in memory, and a coordinator built on them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
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
from services.coordinator.feedback.stats import FeedbackStats, RetractionResult, StoredFeedback
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
    """Satisfies every protocol over agents, jobs and slots."""

    def __init__(self) -> None:
        self.agents: dict[AgentKey, ConfiguredAgent] = {}
        self.deployed_since: dict[AgentKey, datetime] = {}
        self.jobs: dict[UUID, Job] = {}
        self.history: dict[UUID, list[JobTransition]] = {}
        self.events: list[tuple[UUID, JobState | None, JobEvent | None, JobState]] = []
        self.workers: dict[str, WorkerReported] = {}

    async def lock_profile(self, _tx: object, key: AgentKey) -> AgentProfile | None:
        return self.agents[key].profile if key in self.agents else None

    async def put_agent(self, _tx: object, command: ConfigureAgent, _now: datetime) -> None:
        key = AgentKey(command.tenant_id, command.agent_id)
        live = self.agents[key].deployed if key in self.agents else None
        self.agents[key] = ConfiguredAgent(key, command.profile, live)

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
        return self.jobs.setdefault(job.job_id, job) is job

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

    async def transitions(self, _tx: object, job_id: UUID) -> list[JobTransition]:
        return self.history[job_id]

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

    async def queued_jobs(self, _tx: object, *, most: int) -> list[QueuedJob]:
        queued = self._in(JobState.QUEUED)[:most]
        return [QueuedJob(job.job_id, *job.key, job.priority, job.state_since) for job in queued]

    async def running_jobs(self, _tx: object) -> list[RunningJob]:
        return [RunningJob(*job.key) for job in self._in(JobState.TRAINING)]

    async def lock_queued_job(self, _tx: object, job_id: UUID) -> Job | None:
        return self.jobs[job_id]

    async def reported_slots(self, _tx: object, service: str, _since: datetime) -> list[int]:
        return [each.slots for each in self.workers.values() if each.service == service]

    async def put_worker(self, _tx: object, report: WorkerReported, _now: datetime) -> None:
        self.workers[report.worker_id] = report

    def _in(self, state: JobState) -> list[Job]:
        return [job for job in self.jobs.values() if job.state is state]


@dataclass
class AgentState:
    """What an agent's stats counts, and what it knows."""

    feedback: list[FeedbackRow] = field(default_factory=list)
    open_job: UUID | None = None
    windows: int = 0
    last_window_at: datetime | None = None
    check_at: datetime | None = None
    unsuccessful_runs: int = 0
    last_unsuccessful_at: datetime | None = None


class MemoryFeedback:
    """Satisfies every protocol over feedback, feedback_stats and windows."""

    def __init__(self, agents: Mapping[AgentKey, ConfiguredAgent]) -> None:
        self._agents = agents
        self.unused: dict[AgentKey, AgentState] = {}
        self.claimed: dict[UUID, list[FeedbackRow]] = {}
        self.internal_traffic: dict[UUID, InternalTraffic] = {}
        self.windows: list[tuple[Window, FeedbackStats, datetime]] = []

    def stats(self, key: AgentKey) -> FeedbackStats:
        """The counters as they stand."""
        kept = self.unused.setdefault(key, AgentState())
        ratings = [each.rating for each in kept.feedback if each.rating is not None]
        return FeedbackStats(
            tenant_id=key.tenant_id,
            agent_id=key.agent_id,
            unused=len(kept.feedback),
            rated=len(ratings),
            rating_sum=sum(ratings),
            oldest_unused_at=NOON if kept.feedback else None,
            windows=kept.windows,
            last_window_at=kept.last_window_at,
            unsuccessful_runs=kept.unsuccessful_runs,
            last_unsuccessful_at=kept.last_unsuccessful_at,
            busy=kept.open_job is not None,
            check_at=kept.check_at,
        )

    async def find_configured(self, _tx: object, keys: Collection[AgentKey]) -> set[AgentKey]:
        return {key for key in keys if key in self._agents}

    async def lock_all_stats(self, _tx: object, keys: Collection[AgentKey]) -> dict[AgentKey, int]:
        return {key: number for number, key in enumerate(sorted(keys), start=1)}

    async def lock_stats(self, _tx: object, key: AgentKey) -> FeedbackStats | None:
        return self.stats(key) if key in self._agents else None

    async def lock_due_stats(self, _tx: object, now: datetime) -> FeedbackStats | None:
        due = [k for k, kept in self.unused.items() if kept.check_at and kept.check_at <= now]
        return self.stats(due[0]) if due else None

    async def set_check(self, _tx: object, key: AgentKey, check_at: datetime | None) -> None:
        self.unused[key].check_at = check_at

    async def set_open_job(self, _tx: object, key: AgentKey, job_id: UUID) -> None:
        assert self.unused[key].open_job is None
        self.unused[key].open_job, self.unused[key].check_at = job_id, None

    async def clear_open_job(self, _tx: object, key: AgentKey, job_id: UUID) -> None:
        if self.unused[key].open_job == job_id:
            self.unused[key].open_job = None

    async def count_unsuccessful_run(self, _tx: object, key: AgentKey, now: datetime) -> None:
        kept = self.unused.setdefault(key, AgentState())
        kept.unsuccessful_runs, kept.last_unsuccessful_at = kept.unsuccessful_runs + 1, now

    async def reset_unsuccessful_runs(self, _tx: object, key: AgentKey) -> None:
        kept = self.unused.setdefault(key, AgentState())
        kept.unsuccessful_runs, kept.last_unsuccessful_at = 0, None

    async def insert_feedback(
        self,
        _tx: object,
        feedback: Sequence[FeedbackRow],
        _agents: Mapping[AgentKey, int],
        _received_at: datetime,
    ) -> tuple[int, list[FeedbackStats]]:
        known = {each.event_id for kept in self.unused.values() for each in kept.feedback}
        known |= {each.event_id for claimed in self.claimed.values() for each in claimed}
        new = {each.event_id: each for each in feedback if each.event_id not in known}
        for each in new.values():
            self.unused.setdefault(each.key, AgentState()).feedback.append(each)
        return len(new), [self.stats(key) for key in {each.key for each in new.values()}]

    async def insert_interactions(
        self, _tx: object, _interactions: Sequence[InteractionRow], _received_at: datetime
    ) -> None:
        """They decide nothing."""

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
        kept = self.unused.setdefault(retraction.key, AgentState())
        named = (retraction.interaction_id, retraction.source)
        kept.feedback = [
            each for each in kept.feedback if (each.interaction_id, each.source) != named
        ]
        used = [
            each.event_id
            for claimed in self.claimed.values()
            for each in claimed
            if (each.interaction_id, each.source) == named
        ]
        return RetractionResult(tuple(used), self.stats(retraction.key))

    async def claim(self, _tx: object, key: AgentKey, window_id: UUID, maximum: int) -> WindowClaim:
        kept = self.unused[key]
        taken, kept.feedback = kept.feedback[:maximum], kept.feedback[maximum:]
        self.claimed[window_id] = taken
        ids = "\n".join(sorted(str(each.event_id) for each in taken))
        ratings = [each.rating for each in taken if each.rating is not None]
        digest = hashlib.sha256(ids.encode()).hexdigest()
        last = taken[-1].traceparent if taken else None
        return WindowClaim(len(taken), digest, len(ratings), sum(ratings), 0, None, last)

    async def insert_window(
        self, _tx: object, window: Window, _reference: tuple[int, float], now: datetime
    ) -> None:
        """Keep it with the stats as it was, so that a test can ask whether it was due."""
        self.windows.append((window, self.stats(window.key), now))
        self.unused[window.key].windows = window.sequence
        self.unused[window.key].last_window_at = now

    async def window_feedback(self, _tx: object, window_id: UUID) -> list[StoredFeedback]:
        return [
            StoredFeedback(each.event_id, each.source, each.rating, NOON, each.body)
            for each in self.claimed[window_id]
        ]

    async def window_contexts(self, _tx: object, window_id: UUID, *, most: int) -> list[str]:
        contexts = [each.traceparent for each in self.claimed[window_id] if each.traceparent]
        return list(dict.fromkeys(contexts))[:most]


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
        self.feedback = MemoryFeedback(self.store.agents)
        self.artifacts = MemoryArtifacts()
        self.spans = MemorySpans()
        self.outbox = RecordingOutbox()
        self.work = MemoryWork()
        self.restart()

    def restart(self) -> None:
        """Forget everything but the stores, as a process does that was killed."""
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
