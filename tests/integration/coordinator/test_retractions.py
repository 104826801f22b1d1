"""Retracted feedback: erased, uncounted, left out of windows and erased where it was exported."""

import asyncio
from uuid import UUID

from archon_contracts.commands import EraseItems, PrepareDataset
from archon_contracts.events import FeedbackErased, FeedbackWithdrawn, JobFailed
from tests.support.coordinator.coordinator import (
    AGENT,
    CLASSIFIER,
    JobReplies,
    World,
    configure,
    feedback,
    record_of,
    retracted,
    run_to_the_end,
)
from tests.support.messaging.stored import events_of

UNUSED = "SELECT unused FROM feedback_stats"
STORED = "SELECT count(*) FROM feedback"
QUIET = {"trigger_minimum_feedback": 10_000}


async def test_retracted_feedback_is_erased_and_its_redelivery_stays_out(world: World) -> None:
    await world.deliver(configure(**QUIET))
    record = record_of(feedback("i1", rating=4))
    await world.consume([record, record_of(feedback("i2", rating=2))])

    await world.consume([record_of(retracted("i1"))])
    await world.consume([record])

    stats = (await world.fetch("SELECT * FROM feedback_stats"))[0]
    assert (stats["unused"], stats["rated"], stats["rating_sum"]) == (1, 1, 2)
    query = "SELECT body, retracted_at FROM feedback WHERE interaction_id = 'i1'"
    (row,) = await world.fetch(query)
    assert row["body"] is None
    assert row["retracted_at"] is not None


async def test_a_retraction_concerns_what_came_before_it_in_the_batch(world: World) -> None:
    await world.deliver(configure(**QUIET))
    batch = [
        record_of(feedback("i1")),
        record_of(retracted("i1")),
        record_of(feedback("i1")),
    ]

    await world.consume(batch)
    await world.consume(batch)

    assert (await world.value(STORED), await world.value(UNUSED)) == (2, 1)


async def test_feedback_of_another_source_survives_a_retraction(world: World) -> None:
    await world.deliver(configure(**QUIET))
    await world.consume([record_of(feedback("i1")), record_of(feedback("i1", source="expert"))])

    await world.consume([record_of(retracted("i1", source="expert"))])

    query = "SELECT source FROM feedback WHERE retracted_at IS NULL"
    assert [row["source"] for row in await world.fetch(query)] == ["user"]


async def test_what_is_retracted_after_the_claim_is_left_out_of_the_data(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=2))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(2))
    job_id: UUID = await world.value("SELECT job_id FROM jobs")

    await world.consume([record_of(retracted("i0"))])
    await world.deliver(JobReplies(job_id).plan())

    (source,) = (await world.last(PrepareDataset)).sources
    assert source.items == 1


async def test_data_preparation_is_commanded_to_erase_what_a_window_had_claimed(
    world: World,
) -> None:
    await world.deliver(configure(trigger_minimum_feedback=2))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(3))
    taken = "SELECT event_id FROM feedback WHERE interaction_id = 'i0'"
    line_id = str(await world.value(taken))

    await world.consume([record_of(retracted("i0")), record_of(retracted("nothing"))])

    (command,) = await world.published(EraseItems)
    assert (command.agent_id, command.item_ids) == (AGENT, (line_id,))
    (erased,) = await world.published(FeedbackErased)
    assert (erased.agent_id, erased.interaction_ids) == (AGENT, ("i0", "nothing"))


async def test_retracting_unused_feedback_sends_no_command(world: World) -> None:
    await world.deliver(configure(**QUIET))
    await world.consume([record_of(feedback("i0"))])

    await world.consume([record_of(retracted("i0"))])

    assert await world.published(EraseItems) == []


async def test_a_window_that_was_wholly_retracted_fails_its_job(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))
    await world.consume([record_of(feedback("i1"))])
    job_id: UUID = await world.value("SELECT job_id FROM jobs")

    await world.consume([record_of(retracted("i1"))])
    await world.deliver(JobReplies(job_id).plan())

    assert (await world.last(JobFailed)).reason == "all feedback of the window was retracted"


async def test_statistics_stay_equal_to_what_is_stored(world: World) -> None:
    for name in ("a", "b"):
        await world.deliver(configure(name, trigger_minimum_feedback=7, trigger_maximum_feedback=7))
    records = [record_of(feedback(f"i{n}", "ab"[n % 2], rating=1 + n % 5)) for n in range(40)]

    for start in (0, 7, 20, 3):
        await world.consume(records[start : start + 15])
    await world.consume([record_of(retracted("i38").model_copy(update={"agent_id": "a"}))])

    counted = await world.fetch(
        "SELECT agent_id, unused, rated, rating_sum, oldest_unused_at "
        "FROM feedback_stats ORDER BY 1"
    )
    stored = await world.fetch(
        "SELECT agent_id, count(*)::int, count(rating)::int, sum(rating), min(received_at) "
        "FROM feedback WHERE window_id IS NULL AND retracted_at IS NULL GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in counted] == [tuple(row) for row in stored]


async def test_feedback_that_the_deployed_version_has_learnt_is_withdrawn(world: World) -> None:
    await world.deliver(configure(**CLASSIFIER))
    await world.consume([record_of(feedback(f"i{n}"), offset=n) for n in range(3)])
    learnt = JobReplies(await world.value("SELECT job_id FROM jobs"))
    await run_to_the_end(world, learnt.job_id)
    world.clock.move(1)

    await world.consume([record_of(retracted("i1"), offset=9)])

    (event,) = (await world.published(FeedbackWithdrawn))[-1:]
    assert event.affected_versions == {"1.0.0": 1}
    prepare = await world.last(PrepareDataset)
    assert (prepare.withdrawal, prepare.fast_path) == (True, True)
    # After the erasure, on the same key: the dataset lists what left.
    types = [type(each).__name__ for each in await events_of(world.shared.database)]
    assert types.index("EraseItems") < len(types) - 1 - types[::-1].index("PrepareDataset")
    states = await world.states(event.job_id)
    assert states == ["requested", "preparing"]


PREPARED_AT = "SELECT max(occurred_at) FROM job_history WHERE to_state = 'preparing'"


async def test_a_retraction_during_a_preparation_is_dated_after_it_by_any_clock(
    world: World,
) -> None:
    await world.deliver(configure(**CLASSIFIER))
    await world.consume([record_of(feedback(f"i{n}"), offset=n) for n in range(3)])
    await world.deliver(JobReplies(await world.value("SELECT job_id FROM jobs")).plan())

    world.clock.move(-5)  # of another coordinator
    await world.consume([record_of(retracted("i1"), offset=9)])

    withdrawn_at = await world.value("SELECT withdrawn_at FROM withdrawals")
    assert withdrawn_at > await world.value(PREPARED_AT)


async def test_a_preparation_begins_after_a_retraction_that_is_being_stored(world: World) -> None:
    await world.deliver(configure(**CLASSIFIER))
    await world.consume([record_of(feedback(f"i{n}"), offset=n) for n in range(3)])
    plan = JobReplies(await world.value("SELECT job_id FROM jobs")).plan()

    async with world.shared.database.across_tenants() as tx:
        # What a batch with a retraction holds until it commits.
        await tx.fetch("SELECT 1 FROM feedback_stats FOR UPDATE")
        planned = asyncio.create_task(world.hand_over(plan))
        done, _ = await asyncio.wait([planned], timeout=0.2)
        stored_at = world.clock.now()
        world.clock.move(1)
    await planned

    assert not done
    assert await world.value(PREPARED_AT) > stored_at
