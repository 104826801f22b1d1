"""A child that stays: one run after another in one process, and a new one after a bad end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import psutil
import pytest
from opentelemetry.sdk.trace import TracerProvider

from archon_contracts.telemetry import TENANT_ID
from shared.errors import ChildCrashed, ChildFailed
from shared.postgres.database import Database
from shared.telemetry.records import SpanRow
from shared.telemetry.store import TelemetryStore
from shared.work.resident_child import ResidentChild
from tests.support.eventually import eventually

ENTRIES = "tests.support.training.entries"


@pytest.fixture
def telemetry() -> TelemetryStore:
    return TelemetryStore(Database("postgresql://nowhere", "probe"), "probe")


@pytest.fixture
async def child(telemetry: TelemetryStore) -> AsyncIterator[ResidentChild]:
    made = ResidentChild(warm_up_modules=[ENTRIES], threads=1, telemetry=telemetry, idle_seconds=60)
    yield made
    await made.close()


async def _ignore(_report: dict[str, Any]) -> None:
    return


async def count(child: ResidentChild) -> dict[str, Any]:
    return await child.run(f"{ENTRIES}:count_runs", {}, _ignore)


async def test_runs_follow_each_other_in_one_process(child: ResidentChild) -> None:
    first, second = await asyncio.gather(count(child), count(child))

    assert sorted((first["runs"], second["runs"])) == [1, 2]
    assert first["pid"] == second["pid"]


async def test_a_refused_run_leaves_the_child_for_the_next_one(child: ResidentChild) -> None:
    first = await count(child)
    with pytest.raises(ChildFailed, match="is odd"):
        await child.run(f"{ENTRIES}:refuse", {"number": 1}, _ignore)

    assert (await count(child))["pid"] == first["pid"]


async def test_after_a_crash_another_child_does_the_next_run(child: ResidentChild) -> None:
    first = await count(child)
    with pytest.raises(ChildCrashed):
        await child.run(f"{ENTRIES}:die", {}, _ignore)

    again = await count(child)

    assert again["runs"] == 1
    assert again["pid"] != first["pid"]


async def test_a_child_that_died_between_two_runs_is_replaced(child: ResidentChild) -> None:
    first = await count(child)
    psutil.Process(first["pid"]).kill()

    assert (await count(child))["pid"] != first["pid"]


async def test_a_cancelled_run_ends_its_child(child: ResidentChild) -> None:
    pids: list[int] = []

    async def note(report: dict[str, Any]) -> None:
        pids.append(report["pid"])

    task = asyncio.create_task(child.run(f"{ENTRIES}:hang", {}, note))
    await eventually(lambda: bool(pids))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert not _runs(pids[0])
    assert (await count(child))["runs"] == 1


async def test_an_idle_child_ends_by_itself(telemetry: TelemetryStore) -> None:
    child = ResidentChild(
        warm_up_modules=[ENTRIES], threads=1, telemetry=telemetry, idle_seconds=0.05
    )
    first = await count(child)

    await eventually(lambda: not _runs(first["pid"]))


async def test_spans_are_of_the_tenant_whose_run_it_is(
    child: ResidentChild, telemetry: TelemetryStore
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("probe")
    for tenant in ("acme", "globex"):
        with tracer.start_as_current_span("work", attributes={TENANT_ID: tenant}):
            await count(child)

    spans = [row for row in telemetry._rows if isinstance(row, SpanRow)]
    assert [orjson.loads(span.attributes)[TENANT_ID] for span in spans] == ["acme", "globex"]
    assert len({span.trace_id for span in spans}) == 2


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
