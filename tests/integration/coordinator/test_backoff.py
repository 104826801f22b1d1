"""Unsuccessful runs back off: a gate that rejects everything is not asked in a loop."""

from uuid import UUID

import pytest

from archon_contracts.commands import CancelJob
from archon_contracts.events import TrainingFailed
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    configure,
    feedback,
    given_dataset,
    record_of,
    requested,
    run_to_the_end,
)

NEWEST_JOB = "SELECT job_id FROM jobs ORDER BY created_at DESC, job_id LIMIT 1"
WINDOWS = "SELECT count(*) FROM windows"
UNSUCCESSFUL_RUNS = "SELECT unsuccessful_runs FROM feedback_stats"
MINUTE, HOUR = 60, 3_600


async def decide(world: World, name: str) -> None:
    """Enough feedback for a window."""
    await world.consume(record_of(feedback(f"{name}-{n}")) for n in range(3))


async def refuse(world: World) -> None:
    """Reject the newest job's candidate."""
    answers = JobReplies(await world.value(NEWEST_JOB))
    await world.deliver(
        answers.plan(), answers.dataset(), answers.trained(), answers.evaluated(passed=False)
    )


async def retrains_within(world: World, seconds: int) -> int:
    """How many retrains begin while feedback never ends and the gate rejects every one."""
    before = await world.value(WINDOWS)
    for _ in range(seconds // MINUTE):
        known = await world.value(WINDOWS)
        await decide(world, str(world.clock.now().timestamp()))
        await world.components.sweeper.sweep()
        if await world.value(WINDOWS) > known:
            await refuse(world)
        world.clock.move(MINUTE)
    return int(await world.value(WINDOWS) - before)


async def test_retrains_become_rarer_while_the_gate_rejects_every_candidate(world: World) -> None:
    await world.deliver(configure(trigger_maximum_backoff_seconds=HOUR))

    by_the_hour = [await retrains_within(world, HOUR) for _ in range(3)]

    assert by_the_hour[0] <= 6
    assert by_the_hour[1] <= 2
    assert by_the_hour[2] == 1


async def test_the_first_window_after_a_backoff_claims_all_that_came_meanwhile(
    world: World,
) -> None:
    await world.deliver(configure(trigger_backoff_seconds=100))
    await decide(world, "a")
    await refuse(world)

    await decide(world, "b")
    await decide(world, "c")
    resting = await world.value(WINDOWS)
    world.clock.move(101)
    await world.components.sweeper.sweep()

    assert (resting, await world.value(WINDOWS)) == (1, 2)
    newest = "SELECT feedback_count FROM windows ORDER BY sequence DESC LIMIT 1"
    assert await world.value(newest) == 9  # with the three that the rejected job gave back


async def test_a_deployment_ends_the_backoff(world: World) -> None:
    await world.deliver(configure(trigger_backoff_seconds=HOUR))
    await decide(world, "a")
    await refuse(world)
    deployed = JobReplies(UUID(int=1)).deployed("9.0.0").model_copy(update={"job_id": None})

    await world.deliver(deployed)
    await decide(world, "b")

    assert await world.value(UNSUCCESSFUL_RUNS) == 0
    assert await world.value(WINDOWS) == 2


async def test_a_version_from_a_retrain_ends_the_count(world: World) -> None:
    await world.deliver(configure(trigger_backoff_seconds=100))
    await decide(world, "a")
    await refuse(world)
    world.clock.move(101)
    await decide(world, "b")

    await run_to_the_end(world, await world.value(NEWEST_JOB))

    assert await world.value(UNSUCCESSFUL_RUNS) == 0


async def test_a_requested_job_ignores_the_backoff(world: World) -> None:
    await world.deliver(configure(trigger_backoff_seconds=HOUR))
    await decide(world, "a")
    await refuse(world)
    await decide(world, "b")

    await world.deliver(requested())

    assert await world.value(WINDOWS) == 2


async def test_a_requested_job_that_gives_its_window_back_delays_the_next_retrain(
    world: World,
) -> None:
    await world.deliver(configure(trigger_backoff_seconds=HOUR))
    await world.consume([record_of(feedback("lonely"))])
    await world.deliver(requested())

    await refuse(world)

    assert await world.value(UNSUCCESSFUL_RUNS) == 1


async def test_a_requested_job_on_a_dataset_delays_no_retrain(world: World) -> None:
    await world.deliver(configure(trigger_backoff_seconds=HOUR), await given_dataset(world))

    await refuse(world)

    assert await world.value(UNSUCCESSFUL_RUNS) == 0


@pytest.mark.parametrize("trained", [False, True])
async def test_a_failed_job_is_an_unsuccessful_run_unless_its_data_was_at_fault(
    world: World, trained: bool
) -> None:
    await world.deliver(configure())
    await decide(world, "a")
    job_id = await world.value(NEWEST_JOB)
    answers = JobReplies(job_id)

    if trained:
        await world.deliver(answers.plan(), answers.dataset(), _failed(job_id))
    else:
        await world.deliver(answers.plan(), answers.dataset(train=0))

    assert await world.value(UNSUCCESSFUL_RUNS) == int(trained)


async def test_a_cancelled_job_is_not_repeated_at_once(
    world: World,
) -> None:
    await world.deliver(configure())
    await decide(world, "a")
    job_id = await world.value(NEWEST_JOB)
    answers = JobReplies(job_id)

    await world.deliver(answers.plan(), answers.dataset(), CancelJob(job_id=job_id, reason="no"))

    assert await world.value(UNSUCCESSFUL_RUNS) == 1
    assert await world.value(WINDOWS) == 1


async def test_a_redelivered_rejection_is_counted_once(world: World) -> None:
    await world.deliver(configure())
    await decide(world, "a")
    await refuse(world)

    await world.deliver(JobReplies(await world.value(NEWEST_JOB)).evaluated(passed=False))

    assert await world.value(UNSUCCESSFUL_RUNS) == 1


def _failed(job_id: UUID) -> TrainingFailed:
    return TrainingFailed(
        agent_id=AGENT,
        job_id=job_id,
        attempt=1,
        error_type="X",
        reason="it broke",
        retryable=False,
    )
