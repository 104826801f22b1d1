"""K5: feedback over HTTP and Kafka, and a subscription, while two of three nodes are away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from archon_contracts.client import subscribe
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK
from deploy.local.processes.probes import problems_of
from tests.faults.brokers.kafka_cluster import KafkaCluster, kafka_cluster
from tests.faults.brokers.servers import Server
from tests.faults.probes import count_fault_lines
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.scenarios.kafka.outage import OutageReport
from tests.faults.scenarios.kafka.watch import GOAL_SECONDS, LONGEST_SECONDS, REPORT_SECONDS
from tests.faults.system import LocalSystem, local_system
from tests.faults.waiting import beside, until
from tests.faults.workload.load import FeedbackLoad, HttpFeedbackLoad
from tests.support.infrastructure.real_kafka import why_not

AGENT = "agent-0"
WATCHED = ("gateway", "coordinator")
BATCH, PAUSE_SECONDS = 10, 0.5
STARTED_SECONDS = 60.0
SETTINGS = {"gateway_ack_timeout_seconds": 5, "kafka_empty_fetch_wait_max_ms": 0}
# Numbers of events: each load has its own.
BY_KAFKA, WITNESSES = 10_000_000, 20_000_000


@dataclass
class _Subscriber:
    """What an agent's own subscription has read, and the faults that it reported."""

    numbers: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    async def read(self, bootstrap_servers: str) -> None:
        events = subscribe(
            bootstrap_servers, FeedbackReceived, tenant_id=None, on_fault=self.faults.append
        )
        async with aclosing(events):
            async for received in events:
                self.numbers.add(received.event.interaction_id)

    async def has_read(self) -> bool:
        """Whether it works: one that begins in an outage is refused."""
        return bool(self.numbers)


class _ClientLines(logging.Handler):
    """Counts the warnings of the client library and aiokafka in this process."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """A line that an agent would find on its own stderr."""
        if record.name.partition(".")[0] in ("aiokafka", "archon_contracts"):
            self.count += 1


@dataclass
class _FeedbackOutage:
    """The services and clients before, during and after; what was wrong."""

    cluster: KafkaCluster
    system: LocalSystem
    subscriber: _Subscriber
    client_lines: _ClientLines
    logs: Path
    report: OutageReport = field(default_factory=OutageReport)

    async def pass_through(self, nodes: Sequence[Server], seconds: float) -> None:
        """Have the outage; the subscription has to report it, and to log it."""
        rates = await self.report.pass_through(
            self.cluster, nodes, seconds, is_named=self._is_named, count_lines=self._lines
        )
        if not any(self.subscriber.faults) or not rates["clients"]:
            self.report.problems.append("the subscription reported no outage, or logged none")

    async def recover(self, by_http: FeedbackLoad, by_kafka: FeedbackLoad) -> None:
        """See that both ways take feedback again, that it is stored, and that all is clear."""
        for way, load in (("HTTP", by_http), ("Kafka", by_kafka)):
            event, began = load.make(), time.monotonic()
            await load.deliver([event])
            self.report.record(f"{way} answered after, s", time.monotonic() - began, GOAL_SECONDS)

            async def read(number: str = event.interaction_id) -> bool:
                return number in self.subscriber.numbers

            await self.report.expect(f"{way}: read by a subscriber after, s", read, GOAL_SECONDS)
        await self.report.expect("readiness was clear after, s", self._is_clear, REPORT_SECONDS)
        await self.report.expect("the subscription said so after, s", self._is_over, REPORT_SECONDS)
        ended = sum(self.system.status(name).restarts for name in WATCHED)
        self.report.facts["processes ended"] = ended
        if ended:
            self.report.problems.append(f"services ended {ended} times")

    async def _is_named(self) -> bool:
        return all("kafka" in problems for problems in await self._read_problems())

    async def _is_clear(self) -> bool:
        return not any("kafka" in problems for problems in await self._read_problems())

    async def _is_over(self) -> bool:
        return self.subscriber.faults[-1:] == [""]

    async def _read_problems(self) -> list[dict[str, str]]:
        ports = [self.system.status(name).port for name in WATCHED]
        return [await asyncio.to_thread(problems_of, port) for port in ports]

    def _lines(self) -> dict[str, int]:
        services = {name: count_fault_lines(self.logs / f"{name}.log") for name in WATCHED}
        return services | {"clients": self.client_lines.count}


class FeedbackWithoutMajority:
    """Senders over HTTP and Kafka and a subscription, none of which waits for anybody."""

    id = "K5"
    what = "Apache Kafka with three nodes: feedback by HTTP and Kafka while two are away"
    on_request = True
    longest_short_seconds = LONGEST_SECONDS

    async def run(self, context: Context) -> ScenarioResult:
        if reason := why_not():
            return ScenarioResult.of_nothing(reason)
        path = context.folder / "client_log"
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            cluster = await enter(kafka_cluster(context.folder, (FEEDBACK,)))
            data, servers = context.folder / "data", cluster.bootstrap_servers
            system = await enter(local_system(data, services=WATCHED, broker=servers, **SETTINGS))
            await system.configure(AGENT)
            subscriber, lines = _Subscriber(), stack.enter_context(_counted_client_lines())
            await enter(beside(subscriber.read(servers)))
            outage = _FeedbackOutage(cluster, system, subscriber, lines, data / "log")
            nodes = context.random().sample(cluster.nodes, 2)
            loads = [await enter(load) for load in _loads(system, path, 0)]
            async with _sending(loads):
                if not await until(subscriber.has_read, timeout=STARTED_SECONDS):
                    raise RuntimeError("the subscription read nothing")
                await outage.pass_through(nodes, context.size(short=40, long=300))
                await outage.recover(
                    *[await enter(load) for load in _loads(system, path, WITNESSES)]
                )
            account, problems = await system.reconcile(path, stall_seconds=30)
        problems += outage.report.problems
        return ScenarioResult(
            account=account,
            load=f"{account.sent:,} feedback events by HTTP and Kafka",
            faults=1,
            survived=int(not problems),
            trials=account.sent,
            problems=tuple(problems),
            facts=outage.report.facts,
        )


@contextmanager
def _counted_client_lines() -> Iterator[_ClientLines]:
    """Logging works in the block, as in an agent; a scenario's own process is quiet otherwise."""
    lines, quiet = _ClientLines(), logging.root.manager.disable
    logging.root.addHandler(lines)
    logging.disable(logging.NOTSET)
    try:
        yield lines
    finally:
        logging.disable(quiet)
        logging.root.removeHandler(lines)


def _loads(system: LocalSystem, path: Path, start: int) -> tuple[FeedbackLoad, FeedbackLoad]:
    runtime = system.runtime
    return (
        HttpFeedbackLoad(
            runtime.endpoints.gateway_url, runtime.api_key, path, [AGENT], start=start
        ),
        FeedbackLoad(system.bootstrap_servers, path, [AGENT], start=start + BY_KAFKA),
    )


@asynccontextmanager
async def _sending(loads: Sequence[FeedbackLoad]) -> AsyncIterator[None]:
    """Send by all ways while the block runs; what was begun is acknowledged at its end."""
    over = asyncio.Event()

    async def send(load: FeedbackLoad) -> None:
        while not over.is_set():
            await load.send(BATCH, batch=BATCH, pause=PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        for load in loads:
            group.create_task(send(load))
        try:
            yield
        finally:
            over.set()
