"""K4: a training at work while two of three nodes of Kafka are away for a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import orjson
import psutil

from archon_contracts.envelope import HeaderView
from archon_contracts.events import TrainingCompleted
from archon_contracts.topics import METRICS, TRAINER_COMMANDS, TRAINING, WORKERS, dead_letters
from archon_contracts.values import ArtifactRef
from deploy.local.processes.probes import answers_ready, problems_of
from shared.messaging.outbox import decode_headers
from tests.faults.accounting.client_log import balance
from tests.faults.brokers.kafka_cluster import KafkaCluster, kafka_cluster
from tests.faults.brokers.servers import Server, servers
from tests.faults.brokers.topics import event_ids_on
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.scenarios.kafka.outage import OutageReport
from tests.faults.scenarios.kafka.watch import GOAL_SECONDS, LONGEST_SECONDS, REPORT_SECONDS
from tests.faults.waiting import until
from tests.faults.workload.load import send_commands
from tests.support.infrastructure.real_kafka import why_not
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.training.trainer import train

TOPICS = (TRAINER_COMMANDS, TRAINING, METRICS, WORKERS, dead_letters("trainer"))
MODULE = "tests.faults.workload.trainer_service"
MOST_STEPS = 900
"""Of a second each: the scenario ends the training long before."""
STARTED_SECONDS = 60.0
OUTBOX = "SELECT event_id::text, headers::text FROM trainer.outbox"
WAITING = "SELECT count(*) FROM trainer.outbox WHERE published_at IS NULL AND id <= $1"
LAST = "SELECT coalesce(max(id), 0) FROM trainer.outbox"
TAKEN = "SELECT count(*) FROM trainer.work WHERE key = $1"
OVER = "SELECT count(*) FROM trainer.work WHERE state = 'done'"


@dataclass
class _Outage:
    """The trainer and its child before, during and after; what was wrong."""

    cluster: KafkaCluster
    fleet: Fleet
    name: str
    child: psutil.Process
    report: OutageReport = field(default_factory=OutageReport)

    async def pass_through(self, nodes: Sequence[Server], seconds: float) -> None:
        """Have the outage, which no process may end in."""
        await self.report.pass_through(
            self.cluster, nodes, seconds, is_named=self._reports, count_lines=self._lines
        )
        if not self.child.is_running() or self.fleet.restarts(self.name):
            self.report.problems.append("the training or its trainer ended in the outage")

    async def recover(self, dataset: ArtifactRef) -> UUID:
        """See that what waited is sent, and that a new command is read; returns its job."""
        well, last = time.monotonic(), await self.fleet.reader.value(LAST)
        command = train(dataset, steps=1)
        await send_commands(self.cluster.bootstrap_servers, [command])
        job = str(command.job_id)

        async def sent() -> bool:
            return await self.fleet.reader.value(WAITING, last) == 0

        async def read() -> bool:
            return await self.fleet.reader.value(TAKEN, job) == 1

        await self.report.expect("sent again after, s", sent, GOAL_SECONDS, since=well)
        await self.report.expect("read again after, s", read, GOAL_SECONDS, since=well)
        await self.report.expect("readiness was clear after, s", self._is_clear, REPORT_SECONDS)
        return command.job_id

    async def _reports(self) -> bool:
        return "kafka" in await asyncio.to_thread(problems_of, self.fleet.port(self.name))

    async def _is_clear(self) -> bool:
        return await answers_ready(self.fleet.port(self.name))

    def _lines(self) -> dict[str, int]:
        return {"trainer": self.fleet.log_lines(self.name)}


class TrainingWithoutMajority:
    """The trainer as it is served, whose child makes a step a second and reports each."""

    id = "K4"
    what = "Apache Kafka with three nodes: a training at work while two are away for a minute"
    on_request = True
    longest_short_seconds = LONGEST_SECONDS

    async def run(self, context: Context) -> ScenarioResult:
        if reason := why_not():
            return ScenarioResult.of_nothing(reason)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            cluster = await enter(kafka_cluster(context.folder, TOPICS))
            both = await enter(servers(context.folder, broker=False))
            trainer = await enter(fleet(both, context.folder, "trainer", module=MODULE))
            name = await trainer.start(
                kafka_bootstrap_servers=cluster.bootstrap_servers,
                # Apache Kafka holds an empty fetch back by itself.
                kafka_empty_fetch_wait_max_ms=0,
                trainer_work_dir=context.folder / "work",
                trainer_threads=1,
            )
            dataset = await _publish_dataset(both.database_url, context.folder)
            first = train(dataset, steps=MOST_STEPS)
            await send_commands(cluster.bootstrap_servers, [first])
            child = await _child_at_work(trainer, name, _checkpoints(context.folder, first.job_id))
            outage = _Outage(cluster, trainer, name, child)
            nodes = context.random().sample(cluster.nodes, 2)
            await outage.pass_through(nodes, context.size(short=60, long=300))
            second = await outage.recover(dataset)
            (_checkpoints(context.folder, first.job_id) / "go").touch()
            return await _result(outage, jobs={str(first.job_id), str(second)})


def _checkpoints(folder: Path, job_id: UUID) -> Path:
    return folder / "work" / str(job_id) / "1" / "checkpoints"


async def _publish_dataset(database_url: str, folder: Path) -> ArtifactRef:
    settings = probe_settings(
        database_url, service="trainer", artifacts_url=(folder / "artifacts").as_uri()
    )
    async with open_service_context(settings) as shared:
        return await shared.artifacts.publish_files({"train.jsonl": b'{"id": 1}\n'})


async def _child_at_work(trainer: Fleet, name: str, checkpoints: Path) -> psutil.Process:
    """The training's own process, once it has made two steps."""

    async def two_steps() -> bool:
        return (checkpoints / "checkpoint-2").is_dir()

    if not await until(two_steps, timeout=STARTED_SECONDS):
        raise RuntimeError("the training did not begin")
    below = psutil.Process(trainer.pid(name)).children(recursive=True)
    return max(below, key=lambda process: process.create_time())


async def _result(outage: _Outage, *, jobs: set[str]) -> ScenarioResult:
    """Let both trainings end, and compare what the outbox holds with what Kafka has."""
    trainer, problems = outage.fleet, outage.report.problems

    async def over() -> bool:
        return await trainer.reader.value(OVER) == len(jobs) and await trainer.quiet()

    if not await until(over, timeout=60):
        problems.append("not all trainings ended")
    rows = await trainer.reader.fetch(OUTBOX)
    made = {row["event_id"] for row in rows}
    types = [HeaderView.of(decode_headers(orjson.loads(row["headers"]))) for row in rows]
    models = [view.text("ce_type") for view in types].count(TrainingCompleted.message_type())
    if models != len(jobs):
        problems.append(f"{models} models of {len(jobs)} trainings")
    names = [topic.name for topic in TOPICS if topic is not TRAINER_COMMANDS]
    there = await event_ids_on(outage.cluster.bootstrap_servers, names)
    ended = trainer.restarts(outage.name)
    # A copy that was sent again has the id of the first: readers take it once.
    account = balance((made, made), stored=set(there), used=set(there), quarantined=())
    return ScenarioResult(
        account=account,
        load=f"2 trainings, {len(made)} events",
        faults=1,
        survived=int(not ended and models == len(jobs)),
        trials=len(made),
        problems=tuple(problems),
        facts={**outage.report.facts, "processes ended": ended, "records of events": len(there)},
    )
