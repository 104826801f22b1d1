"""Several jobs at once, on a real database: which one runs, which ones wait."""

import asyncio
from pathlib import Path

from archon_contracts.commands import (
    PlanCurriculum,
    TrainModel,
)
from archon_contracts.events import (
    WorkerReported,
)
from tests.support.coordinator.coordinator import (
    JobReplies,
    World,
    configure,
    feedback,
    given_dataset,
    record_of,
    run_to_the_end,
)


async def test_a_second_job_of_an_agent_waits_for_the_end_of_the_first(world: World) -> None:
    first, second = await given_dataset(world), await given_dataset(world)
    await world.deliver(configure(), first, second)
    waiting = await world.states(second.job_id)

    await run_to_the_end(world, first.job_id)

    assert waiting == ["requested"]
    assert await world.states(second.job_id) == ["requested", "planning"]


async def test_jobs_beyond_the_slots_wait_and_priority_goes_first(world: World) -> None:
    requests = {}
    for name, priority in (("a", 0), ("b", 0), ("c", 9)):
        request = await given_dataset(world)
        requests[name] = request.model_copy(update={"agent_id": name})
        await world.deliver(configure(name, priority=priority), requests[name])
        answers = JobReplies(requests[name].job_id, name)
        await world.deliver(answers.plan(), answers.dataset())

    await world.deliver(JobReplies(requests["a"].job_id, "a").trained())

    states = {name: (await world.states(request.job_id))[-1] for name, request in requests.items()}
    assert states == {"a": "evaluating", "b": "queued", "c": "training"}


async def test_a_new_worker_starts_the_job_that_waits(world: World) -> None:
    for name in ("a", "b"):
        request = (await given_dataset(world)).model_copy(update={"agent_id": name})
        answers = JobReplies(request.job_id, name)
        await world.deliver(configure(name), request, answers.plan(), answers.dataset())
    before = len(await world.published(TrainModel))

    await world.deliver(WorkerReported(worker_id="w1", service="trainer", slots=2, busy=1))

    assert (before, len(await world.published(TrainModel))) == (1, 2)


async def test_simultaneous_requests_give_one_active_job(world: World, tmp_path: Path) -> None:
    await world.deliver(configure())
    requests = [await given_dataset(world) for _ in range(6)]

    await asyncio.gather(*(world.deliver(request) for request in requests))

    assert len(await world.published(PlanCurriculum)) == 1
    query = "SELECT count(*) FROM jobs WHERE state = 'planning'"
    assert await world.value(query) == 1


async def test_feedback_that_comes_while_a_job_runs_waits_for_the_next_window(
    world: World,
) -> None:
    await world.deliver(configure())
    await world.consume(record_of(feedback(f"first-{n}")) for n in range(3))
    job_id = await world.value("SELECT job_id FROM jobs")

    await world.consume(record_of(feedback(f"second-{n}")) for n in range(4))
    meanwhile = await world.value("SELECT count(*) FROM windows")
    await run_to_the_end(world, job_id)

    assert meanwhile == 1
    counts = await world.fetch("SELECT feedback_count FROM windows ORDER BY sequence")
    assert [row[0] for row in counts] == [3, 4]
