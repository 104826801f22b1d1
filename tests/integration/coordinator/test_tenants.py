"""Two tenants at one coordinator: what one says of the other's job has no effect."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import CancelJob, TrainModel
from archon_contracts.events import TrainingFailed, TrainingStarted, WorkerReported
from services.coordinator.feedback.store import FeedbackStore
from services.coordinator.store import JobStore
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    configure,
    feedback,
    record_of,
    requested,
)
from tests.support.messaging.messages import NOON

ALPHA, BETA = "alpha", "beta"
SLOT = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0, memory_mb=1)


def of(tenant_id: str, body: Contract) -> Any:
    """The message, said by a tenant."""
    return body.model_copy(update={"tenant_id": tenant_id})


async def queued_job_of(world: World, tenant_id: str, agent_id: str = AGENT) -> UUID:
    """A job of the tenant that waits for a slot."""
    rated = [of(tenant_id, feedback(f"i{number}", agent_id)) for number in range(3)]
    await world.consume(record_of(each) for each in rated)
    (row,) = await world.fetch(
        "SELECT job_id FROM jobs WHERE tenant_id = $1 AND agent_id = $2", tenant_id, agent_id
    )
    answers = JobReplies(row["job_id"])
    await world.deliver(of(tenant_id, answers.plan()), of(tenant_id, answers.dataset()))
    return answers.job_id


async def training_of(world: World, tenant_id: str) -> UUID:
    """A job of the tenant that is training."""
    await world.deliver(of(tenant_id, configure()), SLOT)
    return await queued_job_of(world, tenant_id)


async def everything_of(world: World, tenant_id: str) -> list[str]:
    """Rows and messages of the tenant."""
    found = await world.fetch(
        "SELECT j::text AS row FROM jobs j WHERE tenant_id = $1 "
        "UNION ALL SELECT h::text FROM job_history h WHERE tenant_id = $1 "
        "UNION ALL SELECT t::text FROM feedback_stats t WHERE tenant_id = $1 "
        "UNION ALL SELECT f::text FROM feedback f WHERE tenant_id = $1 "
        "UNION ALL SELECT event_id::text FROM outbox WHERE key LIKE $1 || '/%'",
        tenant_id,
    )
    return sorted(row["row"] for row in found)


def words_about(job_id: UUID) -> list[Contract]:
    """All that can be said of a job."""
    answers = JobReplies(job_id)
    named = {"agent_id": AGENT, "job_id": job_id, "attempt": 1}
    return [
        CancelJob(job_id=job_id, reason="not mine"),
        answers.plan(),
        answers.dataset(),
        TrainingStarted(**named, worker_id="w", total_steps=1, first_step_at=NOON),
        answers.trained(),
        TrainingFailed(**named, error_type="E", reason="not mine", retryable=False),
        answers.evaluated(),
        answers.registered(),
        answers.deployed(),
        requested(job_id=job_id),
    ]


@pytest.mark.parametrize("number", range(len(words_about(uuid4()))))
async def test_what_one_tenant_says_of_anothers_job_has_no_effect(
    world: World, number: int
) -> None:
    job_id = await training_of(world, BETA)
    await world.deliver(of(ALPHA, configure()))
    before = await everything_of(world, BETA)

    await world.deliver(of(ALPHA, words_about(job_id)[number]))

    assert len(before) > 10
    assert await everything_of(world, BETA) == before


async def test_a_query_without_a_tenant_filter_finds_nothing_of_another(world: World) -> None:
    job_id = await training_of(world, BETA)
    store, late = JobStore(), world.clock.now() + timedelta(days=30)
    window = await world.value("SELECT window_id FROM windows")

    async with world.shared.database.transaction(ALPHA) as tx:
        assert await store.lock_job(tx, job_id) is None
        assert await store.lock_overdue_job(tx, late) is None
        assert await store.transitions(tx, job_id) == []
        assert await store.running_jobs(tx) == []
        assert await FeedbackStore().window_feedback(tx, window, limit=9) == []
        assert await FeedbackStore().lock_due_stats(tx, late) is None
    async with world.shared.database.transaction(BETA) as tx:
        assert await store.lock_job(tx, job_id) is not None
        assert len(await FeedbackStore().window_feedback(tx, window, limit=9)) == 3


async def test_a_slot_that_one_tenant_leaves_goes_to_anothers_job(world: World) -> None:
    running = await training_of(world, ALPHA)
    await world.deliver(of(BETA, configure()))
    waiting = await queued_job_of(world, BETA)
    assert (await world.states(waiting))[-1] == "queued"

    await world.deliver(of(ALPHA, JobReplies(running).trained()))

    assert (await world.states(running))[-1] == "evaluating"
    assert (await world.states(waiting))[-1] == "training"
    assert [order.tenant_id for order in await world.published(TrainModel)] == [ALPHA, BETA]


async def test_a_batch_of_both_tenants_is_stored_for_each(world: World) -> None:
    trigger = configure(trigger_minimum_feedback=100)
    await world.deliver(of(ALPHA, trigger), of(BETA, trigger))

    await world.consume(
        record_of(of(tenant_id, feedback(f"i{number}")))
        for number in range(3)
        for tenant_id in (ALPHA, BETA)
    )

    rows = await world.fetch("SELECT tenant_id, unused FROM feedback_stats ORDER BY tenant_id")
    assert [tuple(row) for row in rows] == [(ALPHA, 3), (BETA, 3)]


async def test_the_sweeper_settles_every_tenants_jobs(world: World) -> None:
    await world.deliver(of(ALPHA, configure()), of(BETA, configure()))
    jobs = [await queued_job_of(world, tenant_id) for tenant_id in (ALPHA, BETA)]

    for _ in range(10):  # more than a job is ever tried again
        world.clock.move(timedelta(days=30).total_seconds())
        await world.components.sweeper.sweep()

    assert [(await world.states(job))[-1] for job in jobs] == ["failed", "failed"]


async def test_a_tenants_own_priority_puts_it_before_no_other_tenant(world: World) -> None:
    running = await training_of(world, ALPHA)
    urgent = []
    for agent_id in ("second", "third"):
        await world.deliver(of(ALPHA, configure(agent_id, priority=100)))
        urgent.append(await queued_job_of(world, ALPHA, agent_id))
    await world.deliver(of(BETA, configure()))
    waiting = await queued_job_of(world, BETA)
    async with world.shared.database.across_tenants() as tx:
        looked_at = await JobStore().queued_jobs(tx, most=2, now=world.clock.now())

    await world.deliver(of(ALPHA, JobReplies(running).trained()))

    assert {job.tenant_id for job in looked_at} == {ALPHA, BETA}
    assert [job.served_at is None for job in looked_at] == [True, False]
    assert (await world.states(waiting))[-1] == "training"
    assert [(await world.states(job_id))[-1] for job_id in urgent] == ["queued", "queued"]
