"""What the coordinator records, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.commands import CancelJob, DeployModel
from archon_contracts.events import RetrainTriggered
from archon_contracts.values import ArtifactRef
from shared.audit import verify_log
from tests.support.audit import read_log
from tests.support.coordinator.coordinator import (
    AGENT,
    World,
    configure,
    coordinator_world,
    feedback,
    record_of,
    requested,
    run_to_the_end,
)

ANN = {"requested_by": "ann (key 2)"}


@pytest.fixture
async def second(world: World, database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Another process of the same service."""
    async with coordinator_world(database_url, tmp_path, clock=world.clock) as built:
        yield built


async def log_of(world: World) -> list[dict[str, Any]]:
    async with world.shared.database.across_tenants() as connection:
        return await read_log(connection)


async def given(world: World) -> ArtifactRef:
    return await world.shared.artifacts.publish_files({"items.jsonl": b"{}\n"})


async def test_a_changed_policy_is_recorded_with_each_field_before_and_after(world: World) -> None:
    changed = configure(trigger_minimum_feedback=9, priority=4)
    await world.deliver(configure(), changed.model_copy(update=ANN | {"reason": "too noisy"}))

    first, last = await log_of(world)

    assert first["action"] == "agent_configured"
    assert (last["action"], last["actor"], last["reason"]) == (
        "policy_changed",
        "ann (key 2)",
        "too noisy",
    )
    assert last["changes"] == [
        {"field": "priority", "before": "0", "after": "4"},
        {"field": "trigger.minimum_feedback", "before": "3", "after": "9"},
    ]


async def test_the_same_policy_again_is_no_entry(world: World) -> None:
    await world.deliver(configure(), configure())

    assert len(await log_of(world)) == 1


async def test_a_requested_and_a_cancelled_job_are_recorded(world: World) -> None:
    request = requested(dataset=await given(world), **ANN)
    await world.deliver(configure(), request, CancelJob(job_id=request.job_id, reason="wrong data"))

    asked_for, cancelled = (await log_of(world))[1:]

    assert (asked_for["action"], asked_for["actor"]) == ("training_requested", "ann (key 2)")
    assert (cancelled["action"], cancelled["actor"], cancelled["reason"]) == (
        "job_cancelled",
        "unknown (source archon/test)",
        "wrong data",
    )
    assert {row["subject"] for row in (asked_for, cancelled)} == {str(request.job_id)}


async def test_a_retrain_that_feedback_started_deploys_in_the_name_of_its_trigger(
    world: World,
) -> None:
    await world.deliver(configure())
    await world.consume(record_of(feedback(f"i{n}"), offset=n) for n in range(3))
    job_id = (await world.last(RetrainTriggered)).job_id

    await run_to_the_end(world, job_id)

    order = await world.last(DeployModel)
    assert order.requested_by == f"system (job {job_id}, trigger count)"
    assert order.reason == "it gained 0.1"


async def test_two_processes_that_change_and_cancel_at_once_keep_one_chain(
    world: World, second: World
) -> None:
    agents = [f"{AGENT}-{number}" for number in range(5)]
    items = await given(world)
    requests = [requested(agent, dataset=items) for agent in agents]
    await world.deliver(*(configure(agent) for agent in agents), *requests)
    orders = [
        *(configure(agent, priority=5) for agent in agents),
        *(CancelJob(job_id=request.job_id) for request in requests),
    ]

    await asyncio.gather(*((world, second)[n % 2].deliver(order) for n, order in enumerate(orders)))

    async with world.shared.database.across_tenants() as connection:
        check = (await verify_log(connection))["default", "coordinator"]
    assert (check.ok, check.entries) == (True, len(agents) * 4)
