"""A job's sources are published as leased work, outside any lock, and committed once."""

import asyncio
from uuid import UUID

from archon_contracts.commands import CancelJob, PlanCurriculum, PrepareDataset
from archon_contracts.events import JobFailed
from shared.work.queue import Lease
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    configure,
    feedback,
    given_dataset,
    record_of,
    requested,
)

OPEN_WORK = "SELECT count(*) FROM work WHERE state IN ('queued', 'leased')"
RUN_OUT = "UPDATE work SET lease_until = now() - interval '1 second' WHERE state = 'leased'"


async def job_to_prepare(world: World) -> UUID:
    """A planned retrain whose window is not exported yet."""
    await world.deliver(configure(trigger_minimum_feedback=2))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(2))
    job_id: UUID = await world.value("SELECT job_id FROM jobs")
    await world.hand_over(JobReplies(job_id).plan())
    return job_id


async def finish(world: World, lease: Lease) -> None:
    """Run and commit a piece of work."""
    handler, work = world.components.source_worker, world.shared.work
    sources = await handler.run(lease)
    async with work.guarded(lease) as tx:
        await handler.complete(tx, lease, sources)
        await work.finish(tx, lease, state="done")


async def test_a_dataset_is_prepared_only_when_the_window_is_exported(world: World) -> None:
    job_id = await job_to_prepare(world)
    before = await world.published(PrepareDataset)

    await world.do_work()

    (command,) = await world.published(PrepareDataset)
    assert (before, command.job_id, command.sources[0].items) == ([], job_id, 2)


async def test_planning_waits_for_the_size_of_a_provided_dataset(world: World) -> None:
    await world.deliver(configure())
    await world.hand_over(await given_dataset(world))
    before = await world.published(PlanCurriculum)

    await world.do_work()

    assert (before, (await world.last(PlanCurriculum)).new_items) == ([], 2)


async def test_feedback_of_the_agent_is_stored_while_its_window_is_exported(world: World) -> None:
    await job_to_prepare(world)
    lease = await world.lease()
    published = await world.components.source_worker.run(lease)

    async with asyncio.timeout(10):
        await world.consume([record_of(feedback("meanwhile"))])
        await world.deliver(configure(priority=1))

    assert published.sources[0].items == 2
    assert await world.value("SELECT unused FROM feedback_stats") == 1


async def test_a_crash_after_publishing_leads_to_the_same_sources(world: World) -> None:
    job_id = await job_to_prepare(world)
    lost = await world.components.source_worker.run(await world.lease())
    await world.fetch(RUN_OUT)

    await finish(world, await world.lease())

    (command,) = await world.published(PrepareDataset)
    assert (command.job_id, command.sources) == (job_id, lost.sources)
    assert await world.value(OPEN_WORK) == 0


async def test_work_that_is_queued_again_after_a_deadline_is_committed_once(world: World) -> None:
    await job_to_prepare(world)
    world.clock.move(901)
    await world.components.sweeper.sweep()
    assert await world.value(OPEN_WORK) == 2

    await world.do_work()

    assert len(await world.published(PrepareDataset)) == 1


async def test_sources_of_a_cancelled_job_are_ignored(world: World) -> None:
    job_id = await job_to_prepare(world)
    await world.hand_over(CancelJob(job_id=job_id))

    await world.do_work()

    assert await world.published(PrepareDataset) == []
    assert (await world.states(job_id))[-1] == "cancelled"


async def test_a_dataset_that_is_missing_fails_its_job_and_frees_the_agent(world: World) -> None:
    await world.deliver(configure())
    dataset = (await given_dataset(world)).dataset
    assert dataset is not None
    missing = dataset.model_copy(update={"digest": "0" * 64})
    await world.hand_over(requested(dataset=missing))
    busy = await world.value("SELECT open_job_id FROM feedback_stats")

    await world.do_work()

    assert busy is not None
    assert (await world.last(JobFailed)).agent_id == AGENT
    assert await world.value("SELECT open_job_id FROM feedback_stats") is None


async def test_a_job_whose_window_cannot_be_written_ends_with_the_real_cause(world: World) -> None:
    job_id = await job_to_prepare(world)
    lease = await world.lease()
    async with world.shared.work.guarded(lease) as tx:
        await world.shared.work.retry(tx, lease, delay_seconds=9_999, error="the disk is full")

    for _ in range(3):
        world.clock.move(901)
        await world.components.sweeper.sweep()

    assert (await world.states(job_id))[-1] == "failed"
    reason = (await world.last(JobFailed)).reason
    assert "its last try failed: the disk is full" in reason
