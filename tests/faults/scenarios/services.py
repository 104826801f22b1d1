"""F1 and F11: the services of the whole system are killed, or stopped in turn, under load."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

from archon_contracts.client.producer import OutgoingRecord, ReliableProducer
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import new_id
from archon_contracts.topics import FEEDBACK, MODELS, SERVICES
from tests.faults.accounting.client_log import ClientLog
from tests.faults.accounting.invariants import broken_rules
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.workload.jobs import TinyJobs, tiny_jobs
from tests.faults.workload.load import FeedbackLoad, HttpFeedbackLoad

AGENTS = tuple(f"agent-{number}" for number in range(5))
STOP_SECONDS = 20.0  # long enough for what a handler has begun, and for a busy machine
SETTINGS = {"lease_seconds": 3, "shutdown_timeout_seconds": 3}


class ServicesKilled:
    """kill -9 of every service, in an order and at moments that the seed gives."""

    id = "F1"
    what = "kill -9 of every service under feedback, with a retrain under way"
    set_aside: ClassVar[dict[str, list[str]]] = {}

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=1_500, long=100_000)
        rounds = context.size(short=1, long=20)
        path = context.folder / "client_log"
        async with (
            local_system(
                context.folder / "data",
                trainer_work_dir=context.folder / "trainer",
                **SETTINGS,
            ) as system,
            tiny_jobs(system, context.folder) as jobs,
        ):
            for agent in AGENTS:
                await system.configure(agent)
            job_id = await jobs.begin()
            async with _loads(system, path, events) as (by_http, sending):
                correcting = asyncio.create_task(jobs.correct(by_http))
                survived, faults = await self._damage(context, system, rounds)
                await correcting
                await sending
            letters = len(self.set_aside.get("coordinator", ()))
            account, problems = await system.reconcile(path, stall_seconds=30, letters=letters)
            problems += await self._after(system, jobs, job_id)
            problems += await broken_rules(system.reader, timeout=60)
        return ScenarioResult(
            account=account,
            load=f"{events:,} feedback events over Kafka and HTTP, a training, a retrain",
            faults=faults,
            survived=survived,
            trials=events,
            problems=tuple(problems),
            facts=jobs.facts,
        )

    async def _damage(self, context: Context, system: LocalSystem, rounds: int) -> tuple[int, int]:
        chance, survived = context.random(), 0
        victims = list(SERVICES) * rounds
        chance.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(chance.uniform(0.1, 0.8))
            survived += await self._hit(system, victim)
        return survived, len(victims)

    async def _hit(self, system: LocalSystem, victim: str) -> bool:
        before = system.pid(victim)
        system.send(victim, signal.SIGKILL)
        return await system.ready(victim, but_not=before)

    async def _after(self, system: LocalSystem, jobs: TinyJobs, job_id: str) -> list[str]:
        """What is wrong with the training, and the retrain, that went on meanwhile."""
        state = await jobs.ended(job_id)
        problems = [] if state == "completed" else [f"the training ended {state}"]
        await jobs.retrained(1, timeout=120)
        states = await jobs.retrains()
        if states != ["completed"]:
            problems.append(f"one retrain was due, there are {', '.join(states) or 'none'}")
        set_aside = await system.set_aside()
        if set_aside != self.set_aside:
            problems.append(f"dead letters {set_aside or 'none'}, due {self.set_aside or 'none'}")
        return problems


class RollingDeploy(ServicesKilled):
    """SIGTERM of every service in turn, while events of other versions come too."""

    id = "F11"
    what = "SIGTERM of every service in turn under feedback, with events of other versions"
    set_aside: ClassVar[dict[str, list[str]]] = {"coordinator": ["UnknownMessageType"]}

    def __init__(self) -> None:
        self.bad_exits: list[str] = []
        self.longest_stop = 0.0

    async def _damage(self, context: Context, system: LocalSystem, rounds: int) -> tuple[int, int]:
        self.bad_exits, self.longest_stop = [], 0.0
        await _send_other_versions(system, ClientLog(context.folder / "client_log"))
        return await super()._damage(context, system, rounds)

    async def _hit(self, system: LocalSystem, victim: str) -> bool:
        """In good order means of its own accord: with code 0, and not by the signal."""
        before = system.status(victim)
        began = time.monotonic()
        system.send(victim, signal.SIGTERM)
        code = await system.ended(victim, restarts=before.restarts, timeout=STOP_SECONDS)
        self.longest_stop = max(self.longest_stop, time.monotonic() - began)
        if code != 0:
            self.bad_exits.append(f"{victim} was asked to stop and ended with {code}")
        return await system.ready(victim, but_not=before.pid) and code == 0

    async def _after(self, system: LocalSystem, jobs: TinyJobs, job_id: str) -> list[str]:
        jobs.facts["longest stop, s"] = round(self.longest_stop, 1)
        return [*self.bad_exits, *await super()._after(system, jobs, job_id)]


async def _send_other_versions(system: LocalSystem, client_log: ClientLog) -> None:
    """An event with a field of a later version, one of a version and one of a type to come."""
    good = FeedbackReceived(
        agent_id=AGENTS[0], interaction_id="later", input="what", actual="good", expected="bad"
    )
    later = good.to_bytes()[:-1] + b',"mood":"calm"}'
    producer = ReliableProducer(system.bootstrap_servers, required_topics=[FEEDBACK.name])
    await producer.start()
    try:
        for topic, name, body in (
            (FEEDBACK, good.message_type(), later),
            (FEEDBACK, "archon.FeedbackReceived.v2", b"{}"),
            (MODELS, "archon.ModelDreamt.v1", b"{}"),
        ):
            event_id = str(new_id())
            headers = [("ce_type", name.encode()), ("ce_id", event_id.encode())]
            if topic is FEEDBACK:  # on a topic of events, an unknown type is somebody else's news
                client_log.intend(event_id)
                client_log.acknowledge(event_id)
            await producer.deliver([OutgoingRecord(topic.name, good.key.encode(), body, headers)])
    finally:
        await producer.stop()
        client_log.close()


@contextlib.asynccontextmanager
async def _loads(
    system: LocalSystem, path: Path, events: int
) -> AsyncIterator[tuple[HttpFeedbackLoad, asyncio.Future[list[None]]]]:
    """Half of the feedback events straight to Kafka, half through the gateway."""
    half, runtime = events // 2, system.runtime
    batch = 20 if events < 10_000 else 40
    by_http = HttpFeedbackLoad(
        runtime.endpoints.gateway_url, runtime.api_key, path, AGENTS, start=events
    )
    async with FeedbackLoad(system.bootstrap_servers, path, AGENTS) as by_kafka, by_http:
        yield (
            by_http,
            asyncio.gather(
                by_kafka.send(half, batch=batch, pause=0.5),
                by_http.send(events - half, batch=batch, pause=0.5),
            ),
        )
