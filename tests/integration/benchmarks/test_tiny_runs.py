"""Every benchmark ends and returns figures: each runs once at its tiny sizes."""

import asyncio
import importlib
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

import pytest

from deploy.gateway_client import AsyncGatewayClient
from deploy.local.runtime import Runtime
from tests.benchmarks import harness
from tests.support.data.real_data import real_data
from tests.support.infrastructure.demo_reports import demo_report
from tests.support.infrastructure.system import System

ON_A_SYSTEM = (
    "classifier_stream",
    "correction_latency",
    "http_feedback",
    "single_feedback",
    "quickstart",
    "retrain_latency",
    "selector_api_stream",
    "withdrawal",
)
DEMO = "demo"
ALONE = sorted(set(harness.benchmarks()) - {*ON_A_SYSTEM, DEMO})

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("name", ALONE)
def test_a_benchmark_ends_and_returns_figures(name: str) -> None:
    require_data(harness.module_of(name))

    check(harness.run(name, tiny=True))


@pytest.mark.parametrize("name", ON_A_SYSTEM)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_benchmark_of_a_running_system_ends_and_returns_figures(
    name: str, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def shared_system() -> AsyncIterator[tuple[Runtime, AsyncGatewayClient]]:
        # The benchmark runs on an event loop of its own, so it needs a client of its own.
        endpoints, api_key = system.runtime.endpoints, system.runtime.api_key
        async with AsyncGatewayClient(endpoints.gateway_url, api_key) as gateway:
            yield system.runtime, gateway

    module = harness.module_of(name)
    require_data(module)
    monkeypatch.setattr(module, "fresh_system", shared_system)

    check(await asyncio.to_thread(harness.run, name, tiny=True))


def require_data(module: ModuleType) -> None:
    """Skip, with the reason, where the public data that a benchmark reads is absent."""
    if hasattr(module, "DATA_FILE"):
        real_data(module.DATA_FILE)


def test_the_demo_benchmark_reads_the_figures_of_a_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = demo_report(
        seconds={"total": 200.0}, accuracy={"1.0.0": {"old": {"value": 0.7, "low": 0.6}}}
    )
    module = importlib.import_module("tests.benchmarks.bench_demo")
    command = (sys.executable, "-c", f"print({report.model_dump_json()!r})")
    monkeypatch.setattr(module, "COMMAND", command)

    check(harness.run(DEMO, tiny=True))


def check(figures: list[harness.Figure]) -> None:
    assert figures
    assert all(math.isfinite(figure.figure) for figure in figures)
