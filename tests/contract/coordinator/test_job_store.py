"""Agents, jobs and workers: the same behaviour, in memory and on PostgreSQL."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from archon_contracts.events import JobState, WorkerReported
from archon_contracts.values import ModelRef
from services.coordinator.domain import AgentKey
from services.coordinator.jobs.state_machine import JobEvent
from tests.support.coordinator.coordinator import AGENT, artifact, configure
from tests.support.coordinator.stores import KEY, UNKNOWN, Stores, job
from tests.support.messaging.messages import NOON


async def test_each_profile_has_a_revision_of_its_own(stores: Stores) -> None:
    before = (await stores.stats()).profile_revision

    await stores.call("put_agent", configure(priority=3), NOON)

    assert (await stores.stats()).profile_revision == before + 1
    assert (await stores.call("lock_agent", KEY)).profile.priority == 3


async def test_an_older_deployment_does_not_replace_a_newer_one(stores: Stores) -> None:
    for version, seconds in (("2.0.0", 5), ("1.0.0", 0)):
        model = ModelRef(version=version, artifact=artifact(version))
        await stores.call("set_deployed", KEY, model, NOON + timedelta(seconds=seconds))

    assert (await stores.call("find_agent", KEY)).deployed.version == "2.0.0"


async def test_configured_agents_are_found_together(stores: Stores) -> None:
    async with stores.transaction() as tx:
        found = [agent async for agent in stores.jobs.find_agents(tx, {UNKNOWN, KEY})]

    assert [agent.key for agent in found] == [KEY]
    assert found[0] == await stores.call("find_agent", KEY)


async def test_a_job_is_inserted_once_and_updated_from_the_version_that_was_read(
    stores: Stores,
) -> None:
    first = job(1)

    assert await stores.call("insert_job", first)
    assert not await stores.call("insert_job", first)
    assert await stores.call("update_job", replace(first, version=2), known_version=1)
    assert not await stores.call("update_job", replace(first, version=2), known_version=1)
    assert (await stores.call("lock_job", first.job_id)).version == 2


async def test_the_oldest_requested_job_is_next(stores: Stores) -> None:
    for number in (2, 1):
        await stores.call("insert_job", job(number))

    assert (await stores.call("lock_next_requested", KEY)).job_id == UUID(int=1)
    assert await stores.call("lock_next_requested", UNKNOWN) is None


async def test_overdue_jobs_are_found_by_their_deadline(stores: Stores) -> None:
    await stores.call("insert_job", job(1, deadline_at=NOON + timedelta(seconds=9)))
    await stores.call("insert_job", job(2, deadline_at=NOON + timedelta(seconds=5)))

    assert await stores.call("lock_overdue_job", NOON) is None
    due = await stores.call("lock_overdue_job", NOON + timedelta(seconds=10))
    assert due.job_id == UUID(int=2)


async def test_queued_jobs_come_in_turn_of_their_tenants(stores: Stores) -> None:
    tenants = {1: "a", 2: "a", 3: "b"}
    for number, tenant in tenants.items():
        key = AgentKey(tenant, f"agent-{number}")
        priority = 5 if number == 2 else 0
        queued = job(number, key=key, state=JobState.QUEUED, priority=priority)
        await stores.call("insert_job", queued)

    found = await stores.call("queued_jobs", most=2, now=NOON)

    assert [each.job_id.int for each in found] == [2, 3]
    assert await stores.call("lock_queued_job", UUID(int=1)) is not None


async def test_only_queued_jobs_are_locked_for_a_slot(stores: Stores) -> None:
    await stores.call("insert_job", job(1, state=JobState.TRAINING))

    assert await stores.call("lock_queued_job", UUID(int=1)) is None
    assert [each.agent_id for each in await stores.call("running_jobs")] == [AGENT]


async def test_a_tenant_remembers_when_it_last_got_a_slot(stores: Stores) -> None:
    running = job(1, state=JobState.TRAINING)
    await stores.call("insert_job", running)
    await stores.call(
        "insert_transition",
        running,
        from_state=JobState.QUEUED,
        event=JobEvent.SLOT_GRANTED,
        reason="",
    )
    other = job(2, key=AgentKey("default", "other"), state=JobState.QUEUED)
    await stores.call("insert_job", other)

    (queued,) = await stores.call("queued_jobs", most=5, now=NOON + timedelta(seconds=30))

    assert queued.served_at == running.state_since
    assert (
        queued.used_seconds == (NOON + timedelta(seconds=30) - running.state_since).total_seconds()
    )
    assert [each.to_state for each in await stores.call("transitions", UUID(int=1))] == ["training"]


async def test_workers_that_did_not_report_lately_have_no_slots(stores: Stores) -> None:
    report = WorkerReported(worker_id="w", service="trainer", slots=2, busy=0)
    await stores.call("put_worker", report, NOON)

    assert await stores.call("reported_slots", "trainer", NOON - timedelta(seconds=1)) == [2]
    assert await stores.call("reported_slots", "trainer", NOON) == []
    assert await stores.call("reported_slots", "evaluator", NOON - timedelta(seconds=1)) == []


@pytest.mark.parametrize("state", list(JobState))
async def test_jobs_that_have_not_ended_are_counted_by_tenant(
    stores: Stores, state: JobState
) -> None:
    await stores.call("insert_job", job(1, state=state))
    await stores.call("insert_job", job(2))

    counts = [await stores.call("count_open_jobs", AgentKey(t, AGENT)) for t in ("default", "x")]

    assert counts == [1 + (not state.is_final), 0]
