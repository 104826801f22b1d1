"""A tenant has a bounded number of jobs that have not ended; another tenant's do not count."""

from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.commands import CancelJob
from archon_contracts.events import JobRejected, JobState, TrainingRequested
from archon_contracts.values import TrainingMethod
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import message_of


def request(number: int, tenant_id: str = "acme") -> TrainingRequested:
    return TrainingRequested(
        tenant_id=tenant_id,
        job_id=UUID(int=number),
        agent_id="nobody-configured-it",
        method=TrainingMethod.SUPERVISED,
    )


async def deliver(coordinator: InMemoryCoordinator, body: Contract) -> None:
    if isinstance(body, CancelJob):
        await coordinator.requests.cancel_job(None, message_of(body))
    else:
        await coordinator.requests.request_training(None, message_of(body))


def state(coordinator: InMemoryCoordinator, number: int) -> JobState:
    return coordinator.store.jobs[UUID(int=number)].state


async def test_one_job_above_the_limit_is_rejected_with_the_reason() -> None:
    coordinator = InMemoryCoordinator(max_jobs=2)
    for number in (1, 2, 3):
        await deliver(coordinator, request(number))
    await deliver(coordinator, request(4, "globex"))

    (rejected,) = coordinator.outbox.of(JobRejected)
    assert (rejected.job_id, rejected.evaluation_id) == (UUID(int=3), None)
    assert "2 jobs of this tenant" in rejected.reason
    assert state(coordinator, 3) is JobState.REJECTED
    assert state(coordinator, 4) is JobState.REQUESTED


async def test_an_ended_job_makes_room_and_a_repeated_request_is_no_second_one() -> None:
    coordinator = InMemoryCoordinator(max_jobs=1)
    await deliver(coordinator, request(1))
    await deliver(coordinator, request(1))
    await deliver(coordinator, CancelJob(tenant_id="acme", job_id=UUID(int=1)))

    await deliver(coordinator, request(2))

    assert state(coordinator, 1) is JobState.CANCELLED
    assert state(coordinator, 2) is JobState.REQUESTED
    assert coordinator.outbox.of(JobRejected) == []
