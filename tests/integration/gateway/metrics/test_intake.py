"""Points come by the batch: each message counts once, and a bad one alone fails."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from archon_contracts.events import MetricPoint, MetricsRecorded
from archon_contracts.identifiers import new_id
from archon_contracts.metric_names import TRAIN_LOSS
from services.gateway.metrics.intake import MetricsIntake
from services.gateway.read_models.newest_steps import find_newest_steps
from services.gateway.read_models.projection_store import ProjectionStore
from shared.messaging.messages import RawRecord
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import NOON, message_of

STORED = "SELECT job_id, name, steps FROM job_metrics ORDER BY job_id, recorded_at"
PROGRESS = "SELECT attempt, step, loss FROM job_progress"
LETTERS = "SELECT count(*) FROM outbox WHERE topic LIKE '%dead-letter%'"


def recorded(job: UUID, *steps: int, attempt: int = 1, name: str = TRAIN_LOSS) -> MetricsRecorded:
    points = tuple(
        MetricPoint(name=name, value=1.0 / (step + 1), step=step, recorded_at=moment(step))
        for step in steps
    )
    return MetricsRecorded(job_id=job, agent_id="a", attempt=attempt, points=points)


def moment(step: int) -> datetime:
    return NOON + timedelta(seconds=step % 1_000)


def record_of(body: MetricsRecorded, offset: int, value: bytes | None = None) -> RawRecord:
    message = message_of(body)
    headers = tuple(message.envelope.to_headers())
    payload = value if value is not None else body.to_bytes()
    return RawRecord(body.topic.name, 0, offset, body.key.encode(), payload, headers)


@pytest.fixture
async def shared(database_url: str) -> AsyncIterator[ServiceContext]:
    async with open_service_context(probe_settings(database_url, service="gateway")) as opened:
        yield opened


async def consume(shared: ServiceContext, records: Sequence[RawRecord]) -> None:
    intake = MetricsIntake(shared.database, shared.notifier, ProjectionStore(), shared.outbox)
    await intake.consume(records)


async def test_a_batch_is_stored_once_whatever_comes_again(shared: ServiceContext) -> None:
    one, other = sorted((new_id(), new_id()))
    records = [record_of(recorded(one, 1, 2), 0), record_of(recorded(other, 5), 1)]
    later = record_of(recorded(one, 3, 4), 2)

    await consume(shared, [*records, records[0]])
    await consume(shared, [*records, later])

    async with shared.database.transaction("default") as tx:
        rows = [(row["job_id"], row["steps"]) for row in await tx.fetch(STORED)]
        progress = await tx.fetchrow(f"{PROGRESS} WHERE job_id = $1", one)
    assert rows == [(one, [1, 2]), (one, [3, 4]), (other, [5])]
    assert tuple(progress) == (1, 4, 0.2)


async def test_what_cannot_be_read_or_stored_is_a_dead_letter_and_the_rest_is_stored(
    shared: ServiceContext,
) -> None:
    jobs = [new_id() for _ in range(5)]
    records = [record_of(recorded(job, 1), place) for place, job in enumerate(jobs)]
    too_far = record_of(recorded(new_id(), 2**40), 5)  # no column holds it
    unreadable = record_of(recorded(new_id(), 1), 6, value=b"{")

    for _ in range(2):
        await consume(shared, [*records[:2], too_far, *records[2:], unreadable])

    async with shared.database.across_tenants() as tx:
        stored = {row["job_id"] for row in await tx.fetch(STORED)}
        letters = await tx.fetchval(LETTERS)
    assert stored == set(jobs)
    assert letters == 2


def test_a_training_is_as_far_as_its_newest_attempt() -> None:
    job = new_id()
    found = find_newest_steps(
        [
            recorded(job, 7, 9),
            recorded(job, 2, attempt=2),
            recorded(job, 3, attempt=2, name="validation/accuracy"),
        ]
    )

    assert (found["attempts"], found["steps"], found["losses"]) == ([2], [3], [1 / 3])
