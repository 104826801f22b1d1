"""Requests that overtake the feedback they name."""

from pathlib import Path
from uuid import UUID

from archon_contracts.commands import CancelJob
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived, JobFailed, RetrainTriggered, TrainingRequested
from archon_contracts.identifiers import new_id
from shared.messaging.messages import RawRecord
from tests.support.coordinator.coordinator import (
    World,
    configure,
    coordinator_world,
    feedback,
    record_of,
    requested,
)
from tests.support.coordinator.killed_coordinator import KilledCoordinator
from tests.support.messaging.messages import message_of

WAIT = 120.0


def names(*sent: FeedbackReceived) -> tuple[UUID, ...]:
    """The ids under which the feedback will be stored."""
    return tuple(event_id_of(each, "") for each in sent)


def adapted(*sent: FeedbackReceived) -> TrainingRequested:
    """The request of a training on this feedback."""
    return requested(job_id=new_id(), feedback_ids=names(*sent))


def records(*sent: FeedbackReceived) -> list[RawRecord]:
    """The feedback as it comes from the topic."""
    return [
        record_of(each, offset=number, ce_id=str(name).encode())
        for number, (each, name) in enumerate(zip(sent, names(*sent), strict=True))
    ]


async def test_a_request_that_overtook_its_feedback_waits_for_all_of_it(world: World) -> None:
    first, second = feedback("i1"), feedback("i2")
    request = adapted(first, second)

    await world.deliver(configure(trigger_minimum_feedback=1), request)
    overtaken = await world.states(request.job_id)
    await world.consume(records(first)[:1])
    half = await world.states(request.job_id)
    await world.consume(records(first, second)[1:])

    assert overtaken == half == ["requested"]
    assert await world.states(request.job_id) == ["requested", "planning"]
    # The trigger was due with the first of them, and claimed nothing of it.
    claims = await world.published(RetrainTriggered)
    assert [(each.job_id, each.feedback_count) for each in claims] == [(request.job_id, 2)]


async def test_feedback_that_is_stored_already_delays_nothing(world: World) -> None:
    sent = feedback("i1")
    await world.deliver(configure())
    await world.consume(records(sent))

    await world.deliver(request := adapted(sent))

    assert await world.states(request.job_id) == ["requested", "planning"]


async def test_feedback_that_never_comes_fails_the_job_and_frees_the_queue(world: World) -> None:
    request, following = adapted(feedback("lost"), feedback("i1")), requested(job_id=new_id())
    await world.deliver(configure(), request)
    world.clock.move(1)  # the queue is in the order of requests
    await world.deliver(following)
    await world.consume(records(feedback("i1")))

    world.clock.move(WAIT)
    await world.components.sweeper.sweep()

    assert (await world.last(JobFailed)).reason == (
        "1 of the 2 feedback events that it was given were not stored within 120 s; look for "
        "them among the dead letters, then send the request again"
    )
    assert await world.states(following.job_id) == ["requested", "planning"]


async def test_a_cancelled_wait_lets_triggers_fire_again(world: World) -> None:
    request = adapted(feedback("lost"))
    await world.deliver(configure(trigger_minimum_feedback=1), request)
    await world.consume(records(feedback("i1")))
    cancelled = CancelJob(job_id=request.job_id)

    before = await world.published(RetrainTriggered)
    await world.deliver(cancelled)

    assert before == []
    assert len(await world.published(RetrainTriggered)) == 1


async def test_a_coordinator_killed_in_the_wait_begins_the_job_when_it_is_back(
    database_url: str, tmp_path: Path
) -> None:
    sent = feedback("i1")
    request = adapted(sent)
    async with coordinator_world(database_url, tmp_path) as world:
        await world.deliver(configure())
        killed = KilledCoordinator(database_url, tmp_path)
        await killed.handle(
            message_of(request, time=world.clock.now()), world.clock, committed=True
        )
        clock = world.clock
    clock.move(10 * WAIT)  # it was down for longer than the wait
    async with coordinator_world(database_url, tmp_path, clock=clock, is_migrated=True) as world:
        await world.components.sweeper.sweep()
        waiting = await world.states(request.job_id)
        await world.consume(records(sent))

        assert waiting == ["requested"]
        assert await world.states(request.job_id) == ["requested", "planning"]
