"""Who gets the free training slots: fair between tenants by weight; within one by aged priority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

AGING: Final = timedelta(hours=1)
"""So much longer a job must have waited as another to go before it at one more of priority."""
HELD_SECONDS: Final = 60.0
"""Counted for each slot that a tenant holds, beside the seconds that it has used: jobs that have
just begun have used none yet."""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job in the queue."""

    job_id: UUID
    tenant_id: str
    agent_id: str
    priority: int
    since: datetime
    served_at: datetime | None = None  # when its tenant last got a slot; None: never
    used_seconds: float = 0.0  # of slots, by its tenant in the last hour


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that holds a slot."""

    tenant_id: str
    agent_id: str


def count_slots(reported_slots: Collection[int]) -> int:
    """The slots of all workers heard of; one when none has reported yet, so that work begins."""
    return sum(reported_slots) if reported_slots else 1


def allocate(
    waiting: Iterable[QueuedJob],
    running: Sequence[RunningJob],
    capacity: int,
    weights: Mapping[str, float] | None = None,
) -> tuple[UUID, ...]:
    """The jobs that start now, in order.

    First the tenant that has used least of the slots for its weight (`weights`; 1 where it is not
    named), those that it holds included; of equal ones, that which got its last slot longest ago.
    What a tenant says of its jobs cannot put it before another. What it used counts for an hour
    only, so that nobody waits for ever. Within a tenant, higher priority first, each `AGING` of
    waiting worth one of it. Names and ids decide between equals, so that the answer is always the
    same.
    """
    by_tenant = Counter(job.tenant_id for job in running)
    weight_of = weights or {}
    left = _by_tenant(waiting)
    ages = {tenant: _age(jobs) for tenant, jobs in left.items()}
    used = {tenant: max(job.used_seconds for job in jobs) for tenant, jobs in left.items()}
    provided: Counter[str] = Counter()

    def precedence(tenant: str) -> tuple[float, float, tuple[bool, datetime, datetime], str]:
        weight = weight_of.get(tenant, 1.0)
        weighted = (used[tenant] + HELD_SECONDS * by_tenant[tenant]) / weight
        return weighted, provided[tenant] / weight, ages[tenant], tenant

    granted: list[UUID] = []
    while left and len(running) + len(granted) < capacity:
        tenant = min(left, key=precedence)
        first = min(left[tenant], key=lambda job: (aged(job.since, job.priority), job.job_id))
        left[tenant].remove(first)
        if not left[tenant]:
            del left[tenant]
        granted.append(first.job_id)
        provided[tenant] += 1
        by_tenant[tenant] += 1
    return tuple(granted)


def aged(since: datetime, priority: int) -> datetime:
    """When a job of priority 0 would have begun to wait to be as urgent."""
    return since - priority * AGING


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
