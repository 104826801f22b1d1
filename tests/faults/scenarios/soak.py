"""F13: everything at once, for an hour, with retrains that never end to come."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from archon_contracts.topics import SERVICES
from deploy.local.layout import POSTGRES
from tests.faults.invariants import broken_rules
from tests.faults.jobs import TinyJobs, tiny_jobs
from tests.faults.load import FeedbackLoad, HttpFeedbackLoad
from tests.faults.scenario import Context, Outcome
from tests.faults.servers import IMMEDIATE
from tests.faults.system import LocalSystem, local_system

AGENTS = tuple(f"agent-{number}" for number in range(50))
EVENTS_PER_SECOND = 50
FAULT_EVERY_SECONDS = 20.0
CORRECTIONS_EVERY_SECONDS = 90.0  # enough of them for a retrain each time
SETTLED_SECONDS = 90.0  # a process of this age has loaded what it needs
GROWTH_ALLOWED = 1.1
HOUR = 3_600


class Soak:
    """Kills, freezes, stops and database restarts, while feedback and retrains never end."""

    id = "F13"
    what = "kills, freezes, stops and database restarts mixed, without end: nothing lost, no leak"
    long_only = True

    async def run(self, context: Context) -> Outcome:
        seconds = context.size(short=60, long=HOUR)
        path = context.folder / "ledger"
        async with (
            local_system(
                context.folder / "data",
                lease_seconds=3,
                trainer_work_dir=context.folder / "trainer",
            ) as system,
            tiny_jobs(system, context.folder) as jobs,
        ):
            for agent in AGENTS:
                await system.configure(agent)
            await jobs.begin()
            async with _traffic(system, jobs, path, seconds):
                survived, faults, sizes = await self._damage(context, system, seconds)
            account, problems = await system.close_books(path, patience=30)
            problems += await broken_rules(system.reader, timeout=300)
            retrains = await jobs.retrains()
        first, last = _largest(sizes, 0, seconds / 2), _largest(sizes, seconds / 2, seconds)
        if first and last > first * GROWTH_ALLOWED:
            problems.append(f"the largest service grew from {first:.0f} to {last:.0f} MB")
        return Outcome(
            account=account,
            load=f"{account.sent:,} judgements and {len(retrains)} retrains in {seconds // 60} min",
            faults=faults,
            survived=survived,
            trials=account.sent,
            problems=tuple(problems),
            facts={
                "largest service, MB": f"{first:.0f}, then {last:.0f}",
                "retrains": dict(Counter(retrains)),
            },
        )

    async def _damage(
        self, context: Context, system: LocalSystem, seconds: int
    ) -> tuple[int, int, list[tuple[float, float]]]:
        """Faults survived, faults, and the services' sizes over time."""
        chance, started = context.random(), time.monotonic()
        faults = survived = 0
        sizes: list[tuple[float, float]] = []
        while time.monotonic() - started < seconds:
            survived += await self._one(chance, system)
            faults += 1
            sizes += [(time.monotonic() - started, size) for size in _sizes(system)]
            await asyncio.sleep(FAULT_EVERY_SECONDS)
        return survived, faults, sizes

    async def _one(self, chance: random.Random, system: LocalSystem) -> bool:
        victim = chance.choice(SERVICES)
        before = system.pid(victim)
        match chance.choice(("kill", "stop", "freeze", "training", "database")):
            case "kill":
                system.send(victim, signal.SIGKILL)
            case "stop":
                system.send(victim, signal.SIGTERM)
            case "freeze":
                system.send(victim, signal.SIGSTOP)
                await asyncio.sleep(chance.uniform(1, 15))
                system.send(victim, signal.SIGCONT)
                return await system.ready(victim)
            case "training":
                _kill_child(system.pid("trainer"))
                return await system.ready("trainer")
            case _:
                victim, before = POSTGRES, system.pid(POSTGRES)
                system.send(POSTGRES, IMMEDIATE)
        return await system.ready(victim, but_not=before)


@contextlib.asynccontextmanager
async def _traffic(
    system: LocalSystem, jobs: TinyJobs, path: Path, seconds: int
) -> AsyncIterator[None]:
    """Judgements over Kafka all the time, corrections over HTTP for a retrain now and then."""
    runtime = system.runtime
    by_http = HttpFeedbackLoad(runtime.endpoints.gateway_url, runtime.api_key, path, AGENTS)
    rounds = max(1, int(seconds / CORRECTIONS_EVERY_SECONDS))

    async def correct() -> None:
        for _ in range(rounds):
            await jobs.correct(by_http)
            await asyncio.sleep(CORRECTIONS_EVERY_SECONDS)

    async with FeedbackLoad(system.bootstrap_servers, path, AGENTS) as load, by_http:
        half_a_second = EVENTS_PER_SECOND // 2
        sending = asyncio.gather(
            load.send(seconds * EVENTS_PER_SECOND, batch=half_a_second, pause=0.5), correct()
        )
        yield
        await sending


def _kill_child(trainer: int | None) -> None:
    """Kill the newest process below the trainer: a training, when one is under way."""
    with contextlib.suppress(psutil.NoSuchProcess, ValueError):
        below = psutil.Process(trainer).children(recursive=True)
        max(below, key=lambda process: process.create_time()).kill()


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
