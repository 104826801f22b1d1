"""Who gets the free training slots: priority, then fair share, then age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue."""

    job_id: UUID
    tenant_id: str
    agent_id: str
    priority: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """A job that holds a slot."""

    tenant_id: str
    agent_id: str


def capacity_of(slots_heard: Collection[int]) -> int:
    """The slots of all workers heard of; one when none has reported yet, so that work begins."""
    return sum(slots_heard) if slots_heard else 1


def allocate(
    waiting: Iterable[Waiting], running: Sequence[Running], capacity: int
) -> tuple[UUID, ...]:
    """The jobs that start now, in order.

    Higher priority first; then the tenant, then the agent, that holds fewest slots; then the one
    that waited longest. The id decides between equals, so that the answer is always the same.
    """
    by_tenant = Counter(job.tenant_id for job in running)
    by_agent = Counter((job.tenant_id, job.agent_id) for job in running)
    left = list(waiting)
    granted: list[UUID] = []
    while left and len(running) + len(granted) < capacity:
        first = min(
            left,
            key=lambda job: (
                -job.priority,
                by_tenant[job.tenant_id],
                by_agent[job.tenant_id, job.agent_id],
                job.since,
                job.job_id,
            ),
        )
        left.remove(first)
        granted.append(first.job_id)
        by_tenant[first.tenant_id] += 1
        by_agent[first.tenant_id, first.agent_id] += 1
    return tuple(granted)
