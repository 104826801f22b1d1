"""F13: everything at once, for an hour, with retrains that never end to come."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil

from archon_contracts.topics import SERVICES
from deploy.local.layout import BROKER, POSTGRES
from tests.faults.accounting.invariants import broken_rules
from tests.faults.accounting.memory import Sizes
from tests.faults.brokers.servers import IMMEDIATE
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.waiting import beside, until
from tests.faults.workload.jobs import TinyJobs, tiny_jobs
from tests.faults.workload.load import FeedbackLoad, HttpFeedbackLoad

AGENTS = tuple(f"agent-{number}" for number in range(50))
EVENTS_PER_SECOND = 50
FAULT_EVERY_SECONDS = 20.0
CORRECTIONS_EVERY_SECONDS = 90.0  # enough of them for a retrain each time
TRAINING_BEGINS_SECONDS = 10.0
LOOK_SECONDS = 2.0
HOUR = 3_600
FAULTS = ("kill", "stop", "freeze", "training", "database", "broker")


class Soak:
    """Faults of every kind while feedback and retrains never end."""

    id = "F13"
    what = "kills, freezes, stops and database restarts mixed, without end: nothing lost, no leak"
    long_only = True

    async def run(self, context: Context) -> ScenarioResult:
        seconds = context.size(short=60, long=HOUR)
        path = context.folder / "client_log"
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
            first_job = await jobs.begin()
            damage, sizes = Damage(context.random(), system), Sizes()
            async with _traffic(system, jobs, path), beside(_watch(system, sizes)):
                await damage.go_on(seconds)
            account, problems = await system.reconcile(path, stall_seconds=30)
            problems += await broken_rules(system.reader, timeout=300)
            first_state = await jobs.ended(first_job)
            retrains = await jobs.retrains()
        problems += sizes.problems(SERVICES, required=context.long)
        problems += wrong_trainings(first_state, retrains)
        return ScenarioResult(
            account=account,
            load=f"{account.sent:,} events and {len(retrains)} retrains in {seconds // 60} min",
            faults=damage.done.total(),
            survived=damage.survived,
            trials=account.sent,
            problems=tuple(problems),
            facts={
                "growth of a process": sizes.facts(SERVICES),
                "retrains": dict(Counter(retrains)),
                "faults": dict(damage.done),
            },
        )


class Damage:
    """Faults, one after the other, and how many of each there were.

    A fault is survived when whom it hit is ready again, and one more event is stored than were.
    """

    def __init__(self, chance: random.Random, system: LocalSystem) -> None:
        self._chance = chance
        self._system = system
        self.done: Counter[str] = Counter()
        self.survived = 0

    async def go_on(self, seconds: float) -> None:
        """One fault after the other, until the time is over."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            fault = self._chance.choice(FAULTS)
            victim = self._chance.choice(SERVICES)
            if fault == "training" and not await self._kill_training():
                fault = "kill"
            self.done[fault] += 1
            self.survived += await self._one(fault, victim) and await self._moves()
            await asyncio.sleep(FAULT_EVERY_SECONDS)

    async def _one(self, fault: str, victim: str) -> bool:
        match fault:
            case "training":
                return await self._system.ready("trainer")
            case "kill":
                return await self._end(victim, signal.SIGKILL)
            case "stop":
                return await self._end(victim, signal.SIGTERM)
            case "database":
                return await self._end(POSTGRES, IMMEDIATE)
            case "freeze":
                return await self._freeze(victim, self._chance.uniform(1, 15))
            case _:
                return await self._freeze(BROKER, self._chance.uniform(1, 5))

    async def _end(self, victim: str, number: signal.Signals) -> bool:
        before = self._system.pid(victim)
        self._system.send(victim, number)
        return await self._system.ready(victim, but_not=before)

    async def _freeze(self, victim: str, seconds: float) -> bool:
        self._system.send(victim, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._system.send(victim, signal.SIGCONT)
        return await self._system.ready(victim)

    async def _kill_training(self) -> bool:
        """Kill a training, if one begins while we wait: whether there was one to kill."""

        async def killed() -> bool:
            return kill_child_work(self._system.pid("trainer"))

        return await until(killed, timeout=TRAINING_BEGINS_SECONDS)

    async def _moves(self) -> bool:
        seen: list[int] = []

        async def more() -> bool:
            seen.append(await self._system.count_stored())
            return seen[-1] > seen[0]

        return await until(more, timeout=60)


@contextlib.asynccontextmanager
async def _traffic(system: LocalSystem, jobs: TinyJobs, path: Path) -> AsyncIterator[None]:
    """Feedback over Kafka while the block runs, corrections over HTTP for a retrain now and then.

    It lasts as long as the faults do, however much of it they hold up.
    """
    runtime = system.runtime
    by_http = HttpFeedbackLoad(runtime.endpoints.gateway_url, runtime.api_key, path, AGENTS)
    over = asyncio.Event()

    async def send_feedback(load: FeedbackLoad) -> None:
        while not over.is_set():
            await load.send(EVENTS_PER_SECOND // 2, pause=0.5)

    async def correct() -> None:
        while not over.is_set():
            await jobs.correct(by_http)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), CORRECTIONS_EVERY_SECONDS)

    async with FeedbackLoad(system.bootstrap_servers, path, AGENTS) as load, by_http:
        sending = asyncio.gather(send_feedback(load), correct())
        try:
            yield
        finally:
            over.set()
            await sending


async def _watch(system: LocalSystem, sizes: Sizes) -> None:
    while True:
        sizes.look({service: system.pid(service) for service in SERVICES}, time.time())
        await asyncio.sleep(LOOK_SECONDS)


def kill_child_work(service: int | None) -> bool:
    """Kill the newest piece of work below a service: whether there was one.

    Its children are the server that forks work and the tracker of its resources; the work is below
    those.
    """
    if service is None:
        return False
    try:
        work = [w for each in psutil.Process(service).children() for w in each.children()]
        max(work, key=lambda process: process.create_time()).kill()
    except (psutil.NoSuchProcess, ValueError):
        return False
    return True


def wrong_trainings(first: str, retrains: Sequence[str]) -> list[str]:
    """What is wrong with how trainings ended; the gate may reject some retrains, but not all."""
    problems = [] if first == "completed" else [f"the first training ended {first}"]
    if "completed" not in retrains:
        problems.append("no retrain was completed")
    if odd := Counter(retrains) - Counter(s for s in retrains if s in ("completed", "rejected")):
        problems.append(f"retrains ended {dict(odd)}")
    return problems
