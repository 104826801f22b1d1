"""F13: everything at once, for an hour."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time

import psutil

from archon_contracts.topics import SERVICES
from deploy.local.layout import POSTGRES
from tests.faults.load import FeedbackLoad
from tests.faults.scenario import Context, Outcome
from tests.faults.servers import IMMEDIATE
from tests.faults.system import LocalSystem, local_system

AGENTS = tuple(f"agent-{number}" for number in range(50))
EVENTS_PER_SECOND = 50
FAULT_EVERY_SECONDS = 20.0
SETTLED_SECONDS = 90.0  # a process of this age has loaded what it needs
GROWTH_ALLOWED = 1.1
HOUR = 3_600


class Soak:
    """Kills, freezes, stops and database restarts, while feedback never ends."""

    id = "F13"
    what = "kills, freezes, stops and database restarts mixed, without end: nothing lost, no leak"
    long_only = True

    async def run(self, context: Context) -> Outcome:
        seconds = context.size(short=60, long=HOUR)
        path = context.folder / "ledger"
        sizes: list[tuple[float, float]] = []
        async with local_system(context.folder / "data", lease_seconds=3) as system:
            for agent in AGENTS:
                await system.configure(agent)
            async with FeedbackLoad(system.bootstrap_servers, path, AGENTS) as load:
                sending = asyncio.create_task(
                    load.send(seconds * EVENTS_PER_SECOND, batch=EVENTS_PER_SECOND // 2, pause=0.5)
                )
                faults = survived = 0
                chance, started = context.random(), time.monotonic()
                while time.monotonic() - started < seconds:
                    survived += await self._one(chance, system)
                    faults += 1
                    sizes += [(time.monotonic() - started, size) for size in _sizes(system)]
                    await asyncio.sleep(FAULT_EVERY_SECONDS)
                await sending
            account, problems = await system.close_books(path, timeout=300)
        first, last = _largest(sizes, 0, seconds / 2), _largest(sizes, seconds / 2, seconds)
        if first and last > first * GROWTH_ALLOWED:
            problems.append(f"the largest service grew from {first:.0f} to {last:.0f} MB")
        return Outcome(
            account=account,
            load=f"{account.sent:,} judgements in {seconds // 60} min",
            faults=faults,
            survived=survived,
            trials=account.sent,
            problems=tuple(problems),
            facts={"largest service, MB": f"{first:.0f}, then {last:.0f}"},
        )

    async def _one(self, chance: random.Random, system: LocalSystem) -> bool:
        victim = chance.choice(SERVICES)
        before = system.pid(victim)
        match chance.choice(("kill", "stop", "freeze", "database")):
            case "kill":
                system.send(victim, signal.SIGKILL)
            case "stop":
                system.send(victim, signal.SIGTERM)
            case "freeze":
                system.send(victim, signal.SIGSTOP)
                await asyncio.sleep(chance.uniform(1, 15))
                system.send(victim, signal.SIGCONT)
                return await system.ready(victim)
            case _:
                victim, before = POSTGRES, system.pid(POSTGRES)
                system.send(POSTGRES, IMMEDIATE)
        return await system.ready(victim, but_not=before)


def _sizes(system: LocalSystem) -> list[float]:
    """Megabytes of each service that has lived for a while."""
    found = []
    for status in system.runtime.status():
        if status.name not in SERVICES or status.pid is None:
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(status.pid)
            if time.time() - process.create_time() > SETTLED_SECONDS:
                found.append(process.memory_info().rss / 1e6)
    return found


def _largest(sizes: list[tuple[float, float]], begin: float, end: float) -> float:
    return max((size for at, size in sizes if begin <= at < end), default=0.0)
