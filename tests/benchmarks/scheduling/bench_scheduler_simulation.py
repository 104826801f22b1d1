"""1,000 agents of 50 tenants share 20 slots for 100,000 jobs, under the coordinator's own policy.

An agent asks for its next job some time after its last one ended, so that there always is a queue.
Tenants have weights of 1 and 2, and jobs of their own length; agents have priorities of -1 to 1.
The policy sees what the coordinator's store would show it: the newest jobs of each tenant in turn,
200 at most, and the slot seconds of each tenant's newest 50 trainings within the last hour. Which
worker trains and how much memory it has is not decided by the policy, and not simulated.
"""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
import time
from bisect import insort
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.coordinator.scheduling.fair_share import QueuedJob, RunningJob, aged, allocate
from services.coordinator.scheduling.slots import MAX_QUEUED
from tests.benchmarks.harness import Figure
from tests.support.messaging.messages import NOON

SEEDS = (0, 1, 2)
JOBS, AGENTS, TENANTS, SLOTS = 100_000, 1_000, 50, 20
TINY = {"SEEDS": (0,), "JOBS": 300, "AGENTS": 20, "TENANTS": 5, "SLOTS": 3}
PAUSE_SECONDS, HOUR, NEWEST = 300.0, 3_600.0, 50
FIRST_PART: Final = 0.1
"""Of the jobs: the queue fills in it, and it is in no figure of waiting and shares."""


@dataclass(slots=True)
class Tenant:
    """What the store knows of one tenant."""

    weight: float
    mean_seconds: float
    queue: list[tuple[datetime, int, QueuedJob]] = field(default_factory=list)
    trainings: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=NEWEST))
    served_at: datetime | None = None
    held_seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def used_seconds(self, now: float) -> float:
        """Of slots, in the last hour; the ends of running jobs are in the future."""
        since = now - HOUR
        while self.trainings and self.trainings[0][1] < since:
            self.trainings.popleft()
        return sum(
            min(end, now) - max(began, since) for began, end in self.trainings if end > since
        )


@dataclass(slots=True)
class Totals:
    """What a run adds up."""

    busy_seconds: float = 0.0
    decisions: list[float] = field(default_factory=list)
    most_running: int = 0


class Simulation:
    """One run: events in the order of their time."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.tenants = {
            f"t{n}": Tenant(1.0 + n % 2, self._rng.uniform(30, 120)) for n in range(TENANTS)
        }
        self._agents = [
            (f"t{n % TENANTS}", f"a{n}", self._rng.choice((-1, 0, 1))) for n in range(AGENTS)
        ]
        self._running: dict[UUID, RunningJob] = {}
        self._numbers = itertools.count(1)
        self._events: list[tuple[float, int, int, UUID | None]] = []
        self.totals = Totals()

    def run(self) -> float:
        """All jobs; the seconds from the first to the last event."""
        for agent in range(AGENTS):
            self._push(self._rng.uniform(0, PAUSE_SECONDS), agent, None)
        started, now = 0, 0.0
        weights = {name: tenant.weight for name, tenant in self.tenants.items()}
        while started < JOBS:
            now, _, agent, ended = heapq.heappop(self._events)
            if ended is None:
                self._queue(agent, now)
            else:
                del self._running[ended]
                self._push(now + self._rng.expovariate(1 / PAUSE_SECONDS), agent, None)
            if len(self._running) < SLOTS:
                started += self._fill(now, weights, counted=started > FIRST_PART * JOBS)
        unfinished = sum(
            max(0.0, end - now) for tenant in self.tenants.values() for _, end in tenant.trainings
        )
        self.totals.busy_seconds -= unfinished
        return now

    def _push(self, at: float, agent: int, job: UUID | None) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), agent, job))

    def _queue(self, agent: int, now: float) -> None:
        tenant, agent_id, priority = self._agents[agent]
        number, since = next(self._numbers), NOON + timedelta(seconds=now)
        job = QueuedJob(UUID(int=number * AGENTS + agent), tenant, agent_id, priority, since)
        insort(self.tenants[tenant].queue, (aged(since, priority), number, job))

    def _fill(self, now: float, weights: dict[str, float], *, counted: bool) -> int:
        seen = self._look(now)
        began = time.process_time()
        granted = allocate(seen, list(self._running.values()), SLOTS, weights)
        if seen:
            self.totals.decisions.append(time.process_time() - began)
        by_id = {job.job_id: job for job in seen}
        for job_id in granted:
            self._start(by_id[job_id], now, counted=counted)
        self.totals.most_running = max(self.totals.most_running, len(self._running))
        return len(granted)

    def _look(self, now: float) -> list[QueuedJob]:
        """What the coordinator's query returns."""
        found: list[tuple[int, QueuedJob]] = []
        most = MAX_QUEUED // TENANTS
        for tenant in self.tenants.values():
            if tenant.queue:
                used = tenant.used_seconds(now)
                found += [
                    (
                        place,
                        QueuedJob(
                            job.job_id,
                            job.tenant_id,
                            job.agent_id,
                            job.priority,
                            job.since,
                            tenant.served_at,
                            used,
                        ),
                    )
                    for place, (_, _, job) in enumerate(tenant.queue[:most])
                ]
        return [job for _, job in sorted(found, key=lambda each: each[0])]

    def _start(self, job: QueuedJob, now: float, *, counted: bool) -> None:
        tenant = self.tenants[job.tenant_id]
        tenant.queue = [each for each in tenant.queue if each[2].job_id != job.job_id]
        seconds = self._rng.lognormvariate(0, 0.5) * tenant.mean_seconds
        tenant.trainings.append((now, now + seconds))
        tenant.served_at = NOON + timedelta(seconds=now)
        self._running[job.job_id] = RunningJob(job.tenant_id, job.agent_id)
        self._push(now + seconds, job.job_id.int % AGENTS, job.job_id)
        if counted:
            tenant.held_seconds += seconds
            tenant.waits.append((tenant.served_at - job.since).total_seconds())
        self.totals.busy_seconds += seconds


def run() -> list[Figure]:
    """The worst of the seeds for each figure."""
    found: dict[str, list[float]] = defaultdict(list)
    for seed in SEEDS:
        simulation = Simulation(seed)
        seconds = simulation.run()
        for name, figure in _measure(simulation, seconds).items():
            found[name].append(figure)
        print(f"seed {seed}: { {name: round(each[-1], 4) for name, each in found.items()} }")
    return [
        Figure(name="utilisation", figure=min(found["utilisation"]), unit="", reach=0.95),
        _most("a tenant's share beside its weight", found["share"], "%", 5.0),
        _most("longest wait beside the tenant's mean", found["wait"], "times", 3.0),
        _most("a decision, mean time of the processor", found["decision"], "ms", 1.0),
        _most("slots held at once", found["running"], "", float(SLOTS)),
    ]


def _measure(simulation: Simulation, seconds: float) -> dict[str, float]:
    tenants = list(simulation.tenants.values())
    per_weight = [tenant.held_seconds / tenant.weight for tenant in tenants]
    fair = sum(tenant.held_seconds for tenant in tenants) / sum(each.weight for each in tenants)
    return {
        "utilisation": simulation.totals.busy_seconds / (SLOTS * seconds),
        "share": 100 * max(abs(each / fair - 1) for each in per_weight),
        "wait": max(max(each.waits) / statistics.fmean(each.waits) for each in tenants),
        "decision": 1000 * statistics.fmean(simulation.totals.decisions),
        "running": float(simulation.totals.most_running),
    }


def _most(name: str, values: list[float], unit: str, reach: float) -> Figure:
    return Figure(name=name, figure=max(values), unit=unit, reach=reach, higher_is_better=False)
