"""From nothing to all services ready, and what the idle system costs.

The first start makes a database cluster and every table; the second one finds them. Idle means no
message and no request for 20 s. Resident memory is the sum of proportional set sizes (a page that
several processes share is counted once); the sum of resident sizes, which counts it several
times, is given beside it.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from tests.benchmarks.harness import Figure
from tests.benchmarks.system import WARM_UP_SECONDS, family
from tests.support.infrastructure.brokers import local_broker_settings

BROKER_CHOICE = True
IDLE_SECONDS = 20.0
SERVICES = LocalSettings.model_fields["services"].default
TINY = {"IDLE_SECONDS": 0.5, "WARM_UP_SECONDS": 0.0, "SERVICES": ("registry",)}
MEGABYTE = 1024 * 1024


def run() -> list[Figure]:
    """Start twice, then look at the idle system."""
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as folder:
        settings = LocalSettings(
            data_dir=Path(folder),
            gateway_port=pick_free(),
            services=SERVICES,
            **local_broker_settings(),
        )
        return [*asyncio.run(_first_start(settings)), *asyncio.run(_idle(settings))]


async def _first_start(settings: LocalSettings) -> list[Figure]:
    return [_start("first start", await _timed(settings))]


async def _timed(settings: LocalSettings) -> float:
    began = time.monotonic()
    async with Runtime(settings):
        return time.monotonic() - began


async def _idle(settings: LocalSettings) -> list[Figure]:
    began = time.monotonic()
    async with Runtime(settings) as runtime:
        again = _start("start with data", time.monotonic() - began)
        await asyncio.sleep(WARM_UP_SECONDS)
        before, at = _cpu_seconds(family(runtime)), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        processes = family(runtime)
        fraction = (_cpu_seconds(processes) - before) / (time.monotonic() - at)
        return [again, *_memory(processes), _cpu(fraction)]


def _start(name: str, seconds: float) -> Figure:
    return Figure(name=name, figure=seconds, unit="s", reach=7.8, higher_is_better=False)


def _memory(processes: list[psutil.Process]) -> list[Figure]:
    pss = sum(process.memory_full_info().pss for process in processes) / MEGABYTE
    rss = sum(process.memory_info().rss for process in processes) / MEGABYTE
    return [
        Figure(name="idle memory", figure=pss, unit="MB", reach=1229, higher_is_better=False),
        Figure(name="idle memory, shared pages many times", figure=rss, unit="MB"),
        Figure(name="processes", figure=len(processes), unit=""),
    ]


def _cpu(fraction: float) -> Figure:
    return Figure(
        name="idle CPU", figure=fraction * 100, unit="% of a core", reach=12, higher_is_better=False
    )


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)
