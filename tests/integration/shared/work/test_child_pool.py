"""Real child processes, forked from a fork server."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import orjson
import psutil
import pytest
import uvloop
from opentelemetry.sdk.trace import TracerProvider

from archon_contracts.telemetry import TENANT_ID
from shared.errors import ChildCrashed, ChildFailed
from shared.postgres.database import Database
from shared.telemetry.records import SpanRow
from shared.telemetry.store import TelemetryStore
from shared.work.child_pool import ChildPool
from tests.support.eventually import eventually

ENTRIES = "tests.support.training.entries"


@pytest.fixture
def telemetry() -> TelemetryStore:
    return TelemetryStore(Database("postgresql://nowhere", "probe"), "probe")


@pytest.fixture
def pool(telemetry: TelemetryStore) -> ChildPool:
    return ChildPool(warm_up_modules=[ENTRIES], threads=1, telemetry=telemetry)


async def _ignore(_report: dict[str, Any]) -> None:
    return


async def test_a_child_reports_and_answers(pool: ChildPool) -> None:
    reports: list[dict[str, Any]] = []

    async def collect(report: dict[str, Any]) -> None:
        reports.append(report)

    result = await pool.run(f"{ENTRIES}:double", {"number": 21}, collect)
    assert result["answer"] == 42
    assert reports == [{"event": "half-way"}]


async def test_what_a_fork_server_imports_is_never_walked_by_the_collector(pool: ChildPool) -> None:
    answer = await pool.run(f"{ENTRIES}:show_collector", {}, _ignore)

    assert answer == {"imported": False, "now": True, "out_of_sight": True}


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_answer_may_be_longer_than_the_pipe_holds(
    pool: ChildPool, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        result = runner.run(
            pool.run(f"{ENTRIES}:answer_at_length", {"length": 20_000_000}, _ignore)
        )

    assert len(result["text"]) == 20_000_000


async def test_a_childs_spans_arrive_at_the_service(
    pool: ChildPool, telemetry: TelemetryStore
) -> None:
    await pool.run(f"{ENTRIES}:double", {"number": 1}, _ignore)
    spans = [row for row in telemetry._rows if isinstance(row, SpanRow)]
    assert [(span.name, span.service) for span in spans] == [("doubling", "probe.child")]


async def test_a_childs_spans_are_of_the_tenant_whose_work_it_does(
    pool: ChildPool, telemetry: TelemetryStore
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("work", attributes={TENANT_ID: "acme"}):
        await pool.run(f"{ENTRIES}:double", {"number": 1}, _ignore)

    spans = [row for row in telemetry._rows if isinstance(row, SpanRow)]
    assert [orjson.loads(span.attributes)[TENANT_ID] for span in spans] == ["acme"]


async def test_an_error_of_a_child_keeps_its_sentence(pool: ChildPool) -> None:
    with pytest.raises(ChildFailed, match="number 3 is odd") as caught:
        await pool.run(f"{ENTRIES}:refuse", {"number": 3}, _ignore)
    assert caught.value.error_type == "ValueError"


async def test_a_killed_child_is_a_crash_that_may_be_tried_again(pool: ChildPool) -> None:
    with pytest.raises(ChildCrashed, match="signal 9"):
        await pool.run(f"{ENTRIES}:die", {}, _ignore)


async def test_cancelling_a_run_ends_its_process(pool: ChildPool) -> None:
    pids: list[int] = []

    async def note(report: dict[str, Any]) -> None:
        pids.append(report["pid"])

    run = asyncio.create_task(pool.run(f"{ENTRIES}:hang", {}, note))
    await eventually(lambda: bool(pids))
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run
    await eventually(lambda: not psutil.pid_exists(pids[0]))
