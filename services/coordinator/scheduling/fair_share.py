"""Who gets the free training slots: fair between tenants; within a tenant by priority, then age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job in the queue."""

    job_id: UUID
    tenant_id: str
    agent_id: str
    priority: int
    since: datetime
    served_at: datetime | None = None  # when its tenant last got a slot; None: never


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that holds a slot."""

    tenant_id: str
    agent_id: str


def count_slots(reported_slots: Collection[int]) -> int:
    """The slots of all workers heard of; one when none has reported yet, so that work begins."""
    return sum(reported_slots) if reported_slots else 1


def allocate(
    waiting: Iterable[QueuedJob], running: Sequence[RunningJob], capacity: int
) -> tuple[UUID, ...]:
    """The jobs that start now, in order.

    First the tenant that holds fewest slots; of equal ones, that which got its last slot longest
    ago. What a tenant says of its jobs cannot put it before another, and with n tenants each that
    waits gets one of the next n slots that come free. Within a tenant, higher priority first; then
    the agent that holds fewest slots; then the job that waited longest. Names and ids decide
    between equals, so that the answer is always the same.
    """
    by_tenant = Counter(job.tenant_id for job in running)
    by_agent = Counter((job.tenant_id, job.agent_id) for job in running)
    left = _by_tenant(waiting)
    ages = {tenant: _age(jobs) for tenant, jobs in left.items()}
    provided: Counter[str] = Counter()
    granted: list[UUID] = []
    while left and len(running) + len(granted) < capacity:
        tenant = min(left, key=lambda each: (by_tenant[each], provided[each], ages[each], each))
        first = min(
            left[tenant],
            key=lambda job: (
                -job.priority,
                by_agent[job.tenant_id, job.agent_id],
                job.since,
                job.job_id,
            ),
        )
        left[tenant].remove(first)
        if not left[tenant]:
            del left[tenant]
        granted.append(first.job_id)
        provided[tenant] += 1
        by_tenant[tenant] += 1
        by_agent[tenant, first.agent_id] += 1
    return tuple(granted)


def _by_tenant(waiting: Iterable[QueuedJob]) -> dict[str, list[QueuedJob]]:
    jobs: dict[str, list[QueuedJob]] = {}
    for job in waiting:
        jobs.setdefault(job.tenant_id, []).append(job)
    return jobs


def _age(jobs: Sequence[QueuedJob]) -> tuple[bool, datetime, datetime]:
    """Sort key, smallest first: never served, then served longest ago, then waiting longest."""
    served = max((job.served_at for job in jobs if job.served_at is not None), default=None)
    oldest = min(job.since for job in jobs)
    return served is not None, served or oldest, oldest
