"""One open retrain per agent under concurrency: two coordinators, everything at the same time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from archon_contracts.commands import CancelJob
from archon_contracts.events import RetrainTriggered
from services.coordinator.jobs.state_machine import ACTIVE_STATES
from shared.errors import ConstraintViolated, RetryableError
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    configure,
    coordinator_world,
    feedback,
    record_of,
    requested,
)

MINIMUM = 5
TRIES = 50
OPEN_JOBS = """
SELECT t.agent_id, t.open_job_id,
       coalesce(array_agg(j.job_id) FILTER (WHERE j.state = ANY($1)), '{}') AS active_jobs
FROM feedback_stats t LEFT JOIN jobs j USING (tenant_id, agent_id)
GROUP BY t.agent_id, t.open_job_id
"""
COUNTED = """
SELECT t.agent_id, t.unused, t.windows,
       (SELECT count(*) FROM feedback f
        WHERE f.agent_no = t.agent_no AND f.window_id IS NULL)::int AS unclaimed,
       (SELECT count(*) FROM windows w WHERE w.agent_id = t.agent_id)::int AS claimed_windows
FROM feedback_stats t
"""
SIZES = """
SELECT w.window_id, w.feedback_count, count(f.event_id)::int AS held
FROM windows w LEFT JOIN (
    SELECT window_id, event_id FROM feedback
    UNION ALL
    SELECT window_id, event_id FROM window_returns
) f USING (window_id)
GROUP BY w.window_id, w.feedback_count
"""


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[World, World]]:
    """Two coordinators that share a database."""
    async with (
        coordinator_world(database_url, tmp_path) as one,
        coordinator_world(database_url, tmp_path, clock=one.clock) as other,
    ):
        yield one, other


async def settled(work: Callable[[], Awaitable[object]]) -> None:
    """Do it again after a conflict, as the message that comes again would."""
    for _ in range(TRIES):
        try:
            await work()
        except RetryableError:
            continue
        return
    raise AssertionError(f"not settled in {TRIES} tries")


async def hold_up(world: World, agents: Sequence[str]) -> None:
    """Assert all that must hold at any time for these agents."""
    rows = await world.fetch(OPEN_JOBS, [state.value for state in ACTIVE_STATES])
    assert {row["agent_id"] for row in rows} == set(agents)
    for row in rows:
        assert row["active_jobs"] == ([row["open_job_id"]] if row["open_job_id"] else [])
    for row in await world.fetch(COUNTED):
        assert (row["unused"], row["windows"]) == (row["unclaimed"], row["claimed_windows"])
    for row in await world.fetch(SIZES):
        assert row["feedback_count"] == row["held"]
    window_ids = [each.window_id for each in await world.published(RetrainTriggered)]
    assert len(window_ids) == len(set(window_ids))


async def open_job(world: World, agent: str = AGENT) -> UUID:
    """The agent's job under way."""
    query = "SELECT open_job_id FROM feedback_stats WHERE agent_id = $1"
    job_id: UUID = await world.value(query, agent)
    return job_id


async def windows(world: World) -> int:
    """How many there are."""
    return int(await world.value("SELECT count(*) FROM windows"))


async def test_two_coordinators_that_cross_the_minimum_together_make_one_window(
    both: tuple[World, World],
) -> None:
    one, other = both
    await one.deliver(configure(trigger_minimum_feedback=MINIMUM))
    halves = [[record_of(feedback(f"{h}-{n}")) for n in range(MINIMUM)] for h in "ab"]

    await asyncio.gather(
        settled(lambda: one.consume(halves[0])), settled(lambda: other.consume(halves[1]))
    )

    assert await windows(one) == 1
    await hold_up(one, [AGENT])


async def test_the_same_batch_taken_by_both_at_once_makes_one_window(
    both: tuple[World, World],
) -> None:
    one, other = both
    await one.deliver(configure(trigger_minimum_feedback=MINIMUM))
    batch = [record_of(feedback(f"i{n}")) for n in range(MINIMUM)]

    await asyncio.gather(
        *(settled(lambda world=world: world.consume(batch)) for world in (one, other) * 4)
    )

    assert await windows(one) == 1
    assert await one.value("SELECT count(*) FROM feedback") == MINIMUM


async def test_what_comes_during_a_job_is_one_window_at_its_end(both: tuple[World, World]) -> None:
    one, other = both
    await one.deliver(configure(trigger_minimum_feedback=MINIMUM))
    await one.consume(record_of(feedback(f"a{n}")) for n in range(MINIMUM))
    await other.consume(record_of(feedback(f"b{n}")) for n in range(7 * MINIMUM))
    meanwhile = await windows(one)

    job_id = await open_job(one)
    await asyncio.gather(
        *(settled(lambda world=world: world.deliver(CancelJob(job_id=job_id))) for world in both)
    )
    one.clock.move(3_600)  # what a cancelled job gives back waits for the backoff
    await one.components.sweeper.sweep()

    sizes = await one.fetch("SELECT feedback_count FROM windows ORDER BY sequence")
    assert meanwhile == 1
    assert [row[0] for row in sizes] == [MINIMUM, 8 * MINIMUM]
    await hold_up(one, [AGENT])


@pytest.mark.parametrize("round_", range(5))
async def test_a_request_and_a_trigger_at_the_same_time_run_one_after_the_other(
    both: tuple[World, World], round_: int
) -> None:
    one, other = both
    await one.deliver(configure(trigger_minimum_feedback=MINIMUM))
    await one.consume(record_of(feedback(f"a{round_}-{n}")) for n in range(MINIMUM - 1))
    request = requested()

    await asyncio.gather(
        settled(lambda: one.deliver(request)),
        settled(lambda: other.consume([record_of(feedback(f"last-{round_}"))])),
    )

    await hold_up(one, [AGENT])
    assert await open_job(one) is not None
    assert await windows(one) == 1


async def test_the_end_of_a_job_a_sweep_a_request_and_feedback_at_once_begin_one_job(
    both: tuple[World, World],
) -> None:
    one, other = both
    await one.deliver(configure(trigger_minimum_feedback=MINIMUM, trigger_maximum_age_seconds=1))
    await one.consume(record_of(feedback(f"a{n}")) for n in range(MINIMUM))
    await one.consume(record_of(feedback(f"b{n}")) for n in range(2 * MINIMUM))
    job_id = await open_job(one)
    request = requested()
    one.clock.move(2)

    await asyncio.gather(
        settled(lambda: one.deliver(CancelJob(job_id=job_id))),
        settled(lambda: other.consume(record_of(feedback(f"c{n}")) for n in range(MINIMUM))),
        settled(other.components.sweeper.sweep),
        settled(lambda: one.deliver(request)),
    )

    await hold_up(one, [AGENT])
    assert await open_job(one) is not None


async def test_the_database_itself_refuses_a_second_job_under_way(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=MINIMUM))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(MINIMUM))
    copy = """
    INSERT INTO jobs SELECT gen_random_uuid(), tenant_id, agent_id, state, version, attempt,
    dispatches,
           method, priority, requested_by, config, facts, trace_id, parent_span_id, job_span_id,
           stage_span_id, created_at, state_since, deadline_at
    FROM jobs
    """

    with pytest.raises(ConstraintViolated, match="jobs_one_active"):
        await world.fetch(copy)


@pytest.mark.parametrize("seed", range(3))
async def test_any_crowd_of_events_leaves_at_most_one_job_per_agent(
    both: tuple[World, World], seed: int
) -> None:
    one, choose, agents = both[0], random.Random(seed), ["a", "b", "c"]
    for agent in agents:
        await one.deliver(configure(agent, trigger_minimum_feedback=MINIMUM))

    for step in range(8):
        crowd = [_event(choose, both, agents, f"{seed}-{step}-{n}") for n in range(6)]
        crowd += [_end(world, await open_job(one, choose.choice(agents))) for world in both]
        await asyncio.gather(*(settled(event) for event in crowd))
        one.clock.move(choose.choice((0, 1, 100)))

    await hold_up(one, agents)
    total = await one.value("SELECT count(*) FROM feedback")
    fired = await one.value("SELECT count(*) FROM windows WHERE reason = 'count'")
    assert 0 < fired <= total // MINIMUM


def _event(
    choose: random.Random, both: tuple[World, World], agents: Sequence[str], name: str
) -> Callable[[], Awaitable[object]]:
    """Feedback, a request or a sweep at one of the two."""
    world, agent, kind = choose.choice(both), choose.choice(agents), choose.random()
    if kind < 0.7:
        records = [record_of(feedback(f"{name}-{n}", agent)) for n in range(choose.randint(1, 9))]
        return lambda: world.consume(records)
    if kind < 0.85:
        request = requested(agent)
        return lambda: world.deliver(request)
    return world.components.sweeper.sweep


def _end(world: World, job_id: UUID | None) -> Callable[[], Awaitable[object]]:
    """A job is cancelled, or ends by a decision that comes in the wrong state."""
    answers = JobReplies(job_id or UUID(int=0))
    return lambda: world.deliver(answers.evaluated(passed=False), CancelJob(job_id=answers.job_id))
