"""F10: a backlog, and a consumer that runs a tenth of the time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import psutil

from tests.faults.accounting.invariants import broken_rules
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.waiting import beside
from tests.faults.workload.load import FeedbackLoad

AGENTS = tuple(f"agent-{number}" for number in range(20))
SERVICES = ("coordinator",)
RUN_SECONDS, HALT_SECONDS = 0.05, 0.45
LOOK_SECONDS = 0.1
MOST_MEGABYTES = 200.0


class SlowConsumer:
    """Feedback piles up while the coordinator works at a tenth of its pace, then at its own."""

    id = "F10"
    what = "a backlog met by a consumer ten times too slow: bounded memory, no rebalance"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=20_000, long=100_000)
        client_log = context.folder / "client_log"
        async with local_system(context.folder / "data", services=SERVICES) as system:
            for agent in AGENTS:
                await system.configure(agent)
            generations = await system.generations("coordinator")
            process = _process(system)
            async with _sampled(process) as sizes:
                async with _slowed(process):
                    async with FeedbackLoad(system.bootstrap_servers, client_log, AGENTS) as load:
                        await load.send(events, batch=500)
                    backlog = events - await system.count_stored()
                    slow_done = await system.all_settled(events // 10, timeout=120)
                account, problems = await system.reconcile(client_log, stall_seconds=30)
            same_generations = await system.generations("coordinator") == generations
            problems += await broken_rules(system.reader, timeout=30, services=SERVICES)
        if not generations:
            problems.append("the consumer group has no members")
        if not slow_done:
            problems.append("the slow consumer did not get through a tenth")
        if not same_generations:
            problems.append("the consumer group was rebalanced")
        if max(sizes) > MOST_MEGABYTES:
            problems.append(f"it held {max(sizes):.0f} MB, {MOST_MEGABYTES:.0f} are allowed")
        return ScenarioResult(
            account=account,
            load=f"{events:,} feedback events",
            faults=1,
            survived=int(not problems),
            trials=events,
            problems=tuple(problems),
            facts={
                "backlog": backlog,
                "peak memory, MB": round(max(sizes)),
                "looks at memory": len(sizes),
                "at first, MB": round(sizes[0]),
            },
        )


def _process(system: LocalSystem) -> psutil.Process:
    pid = system.pid("coordinator")
    if pid is None:
        raise RuntimeError("the coordinator is not running")
    return psutil.Process(pid)


@contextlib.asynccontextmanager
async def _sampled(process: psutil.Process) -> AsyncIterator[list[float]]:
    """The process's megabytes, over and over while the block runs, and once at its end."""
    sizes = [_megabytes(process)]

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            sizes.append(_megabytes(process))

    async with beside(look()):
        yield sizes
    sizes.append(_megabytes(process))


@contextlib.asynccontextmanager
async def _slowed(process: psutil.Process) -> AsyncIterator[None]:
    """The process runs a tenth of the time, frozen from outside."""

    async def stutter() -> None:
        while True:
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(RUN_SECONDS)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(HALT_SECONDS)

    try:
        async with beside(stutter()):
            yield
    finally:
        process.send_signal(signal.SIGCONT)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 1e6)
