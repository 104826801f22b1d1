"""Metric points into PostgreSQL, and a long curve read thinned with ten million points stored.

Intake goes the gateway's way, from raw records to the commit: the batches that its one consumer is
given, of four trainings at once, with messages of 1,000 points and with those of 50 that our own
trainer sends. The store is then filled by the same statement, and curves of 100,000 points are read
as the route reads them, each of another run.
"""

import asyncio
import math
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import uvloop

from archon_contracts.envelope import Envelope
from archon_contracts.events import JobState, MetricPoint, MetricsRecorded
from archon_contracts.identifiers import new_id
from archon_contracts.metric_names import TRAIN_LOSS
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.postgres import EmbeddedPostgres
from services.gateway.domain import JobSummary
from services.gateway.metrics.intake import MAXIMUM_RECORDS, MetricsIntake
from services.gateway.metrics.store import MetricReads
from services.gateway.read_models.projection_store import ProjectionStore
from shared.messaging.messages import RawRecord
from shared.postgres.queries import load_queries
from shared.process.service_context import ServiceContext
from tests.benchmarks.harness import Figure, median
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

STORED, CURVE, BATCH = 10_000_000, 100_000, 1_000
INTAKE_POINTS, MESSAGE_POINTS, ROUNDS, TASKS = 200_000, (1_000, 50), 3, 4
READS, SHOWN = 15, 1_000
REACH_POINTS_PER_SECOND, REACH_READ_MS = 50_000, 100
TINY = {
    "STORED": 4_000,
    "CURVE": 2_000,
    "BATCH": 500,
    "INTAKE_POINTS": 4_000,
    "ROUNDS": 1,
    "READS": 2,
}
STARTED = datetime.now(UTC)


def run() -> list[Figure]:
    """Intake first, then reads of the filled store."""
    return uvloop.run(_measure())  # as the services do


async def _measure() -> list[Figure]:
    async with _gateway_database() as shared:
        figures = [await _measure_intake(shared, points) for points in MESSAGE_POINTS]
        jobs = [new_id() for _ in range(max(STORED // CURVE, 1))]
        await _fill(shared, jobs)
        return [*figures, *await _measure_reads(shared, jobs)]


@asynccontextmanager
async def _gateway_database() -> AsyncIterator[ServiceContext]:
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres", pick_free())
        await postgres.start()
        try:
            async with open_service_context(
                probe_settings(postgres.url, service="gateway")
            ) as shared:
                yield shared
        finally:
            await postgres.stop()


async def _measure_intake(shared: ServiceContext, points: int) -> Figure:
    intake = MetricsIntake(shared.database, shared.notifier, ProjectionStore(), shared.outbox)
    # What one fetch brings at most: a megabyte of a partition, and the intake's own bound.
    most = min(MAXIMUM_RECORDS, TASKS * 1_000_000 // len(_record(new_id(), points, 0).value or b""))
    rates = []
    for _ in range(ROUNDS):
        jobs = [new_id() for _ in range(TASKS)]
        each = INTAKE_POINTS // TASKS // points
        records = [_record(job, points, number) for number in range(each) for job in jobs]
        started = time.perf_counter()
        for first in range(0, len(records), most):
            await intake.consume(records[first : first + most])
        rates.append(TASKS * each * points / (time.perf_counter() - started))
        for job in jobs:
            await _check(shared, job, each * points)
    return median(
        f"intake, {points} points a message",
        rates,
        unit="points/s",
        reach=REACH_POINTS_PER_SECOND,
    )


def _record(job: UUID, points: int, number: int) -> RawRecord:
    first = number * points
    body = MetricsRecorded(
        job_id=job,
        agent_id="a",
        attempt=1,
        points=tuple(
            MetricPoint(
                name=TRAIN_LOSS,
                value=_value(step),
                step=step,
                recorded_at=STARTED + timedelta(milliseconds=step),
            )
            for step in range(first, first + points)
        ),
    )
    event = new_id()
    envelope = Envelope(
        id=event,
        source="archon/trainer",
        type=body.message_type(),
        time=STARTED,
        correlation_id=str(event),
    )
    headers = tuple(envelope.to_headers())
    return RawRecord(body.topic.name, 0, number, body.key.encode(), body.to_bytes(), headers)


def _value(step: int) -> float:
    """A falling curve with noise that is the same in each run."""
    return 2.0 / (1.0 + step / 1000.0) + 0.1 * math.sin(step * 12.9898) * math.cos(step * 78.233)


async def _check(shared: ServiceContext, job: UUID, points: int) -> None:
    async with shared.database.transaction("default") as tx:
        (series,) = await MetricReads().series(tx, _job(job))
    if series.points != points:
        raise RuntimeError(f"{points} points were sent and {series.points} are stored")


async def _fill(shared: ServiceContext, jobs: Sequence[UUID]) -> None:
    queries = load_queries("services.gateway")
    values = [_value(step) for step in range(CURVE)]
    moments = [STARTED + timedelta(milliseconds=step) for step in range(CURVE)]

    async def fill(mine: Sequence[UUID]) -> None:
        for job in mine:
            async with shared.database.transaction("default") as tx:
                for first in range(0, CURVE, BATCH):
                    part = slice(first, first + BATCH)
                    await queries.save_metrics(
                        tx,
                        tenant_ids=["default"],
                        job_ids=[job],
                        attempts=[1],
                        events=[1] * BATCH,
                        names=[TRAIN_LOSS] * BATCH,
                        steps=list(range(first, first + BATCH)),
                        amounts=values[part],
                        epochs=[None] * BATCH,
                        moments=moments[part],
                    )

    await asyncio.gather(*(fill(jobs[place::TASKS]) for place in range(TASKS)))
    async with shared.database.across_tenants() as tx:
        await tx.execute("ANALYZE job_metrics")


async def _measure_reads(shared: ServiceContext, jobs: Sequence[UUID]) -> list[Figure]:
    reads, taken = MetricReads(), []
    values = [_value(step) for step in range(CURVE)]
    for number in range(READS):
        job = _job(jobs[number * 7 % len(jobs)])
        started = time.perf_counter()
        async with shared.database.transaction("default") as tx:
            (curve,) = await reads.curves(tx, job, names=[TRAIN_LOSS], points=SHOWN)
        taken.append(1000 * (time.perf_counter() - started))
        if len(curve.steps) > SHOWN or (min(curve.values), max(curve.values)) != (
            min(values),
            max(values),
        ):
            raise RuntimeError("the curve lacks its extremes, or is longer than asked for")
    async with shared.database.across_tenants() as tx:
        size = await tx.fetchval(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
            "WHERE inhparent = 'job_metrics'::regclass"
        )
    return [
        median(
            f"{CURVE:,} points thinned to {SHOWN:,}, {STORED:,} stored",
            taken,
            unit="ms",
            reach=REACH_READ_MS,
            higher_is_better=False,
        ),
        Figure(name="the same, slowest", figure=max(taken), unit="ms"),
        Figure(name="stored", figure=float(size) / STORED, unit="bytes/point"),
    ]


def _job(job_id: UUID) -> JobSummary:
    return JobSummary(
        job_id=job_id,
        agent_id="a",
        method="supervised",
        state=JobState.TRAINING,
        attempt=1,
        reason="",
        trace_id="",
        created_at=STARTED,
    )
