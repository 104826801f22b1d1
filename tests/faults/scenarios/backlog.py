"""F10: a backlog, and a consumer that runs a tenth of the time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import psutil

from tests.faults.load import FeedbackLoad
from tests.faults.scenario import Context, Outcome
from tests.faults.system import LocalSystem, local_system

AGENTS = tuple(f"agent-{number}" for number in range(20))
RUN_SECONDS, HALT_SECONDS = 0.05, 0.45
MOST_MEGABYTES = 200.0


class SlowConsumer:
    """Feedback piles up while the coordinator works at a tenth of its pace, then at its own."""

    id = "F10"
    what = "a backlog met by a consumer ten times too slow: bounded memory, no rebalance"

    async def run(self, context: Context) -> Outcome:
        events = context.size(short=20_000, long=100_000)
        ledger = context.folder / "ledger"
        async with local_system(context.folder / "data", services=("coordinator",)) as system:
            for agent in AGENTS:
                await system.configure(agent)
            members = await system.members("coordinator")
            peak: list[float] = []
            async with _slowed(system, peak):
                async with FeedbackLoad(system.bootstrap_servers, ledger, AGENTS) as load:
                    await load.send(events, batch=500)
                backlog = events - await system.count_stored()
                slow_done = await system.all_settled(events // 10, timeout=120)
            account, problems = await system.close_books(ledger, patience=30)
            same_members = await system.members("coordinator") == members
        if not slow_done:
            problems.append("the slow consumer did not get through a tenth")
        if not same_members:
            problems.append("the consumer group was rebalanced")
        if max(peak) > MOST_MEGABYTES:
            problems.append(f"it held {max(peak):.0f} MB, {MOST_MEGABYTES:.0f} are allowed")
        return Outcome(
            account=account,
            load=f"{events:,} judgements",
            faults=1,
            survived=int(not problems),
            trials=events,
            problems=tuple(problems),
            facts={
                "backlog": backlog,
                "peak memory, MB": round(max(peak)),
                "at first, MB": round(peak[0]),
            },
        )


@contextlib.asynccontextmanager
async def _slowed(system: LocalSystem, peak: list[float]) -> AsyncIterator[None]:
    """The coordinator runs a tenth of the time, frozen from outside; its memory is noted."""
    pid = system.pid("coordinator")
    if pid is None:
        raise RuntimeError("the coordinator is not running")
    process = psutil.Process(pid)

    async def stutter() -> None:
        while True:
            peak.append(process.memory_info().rss / 1e6)
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(RUN_SECONDS)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(HALT_SECONDS)

    task = asyncio.create_task(stutter())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        process.send_signal(signal.SIGCONT)
        peak.append(process.memory_info().rss / 1e6)
