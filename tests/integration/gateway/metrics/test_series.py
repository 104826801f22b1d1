"""Metric series in PostgreSQL: batches in, thinned curves out, a partition per month."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from archon_contracts.events import JobState, MetricPoint, MetricsRecorded
from archon_contracts.identifiers import new_id
from services.gateway.domain import JobSummary
from services.gateway.errors import Invalid
from services.gateway.metrics import store as metrics_store
from services.gateway.metrics.store import MetricReads
from services.gateway.read_models.projection_store import ProjectionStore
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

NOW = datetime.now(UTC)
LOSS = "train/loss"
JOB = JobSummary(
    job_id=new_id(),
    agent_id="a",
    method="supervised",
    state=JobState.TRAINING,
    attempt=1,
    reason="",
    trace_id="",
    created_at=NOW,
)


class Series:
    """What a trainer records of one job, and the reads of it."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.reads = MetricReads()

    async def record(
        self,
        values: dict[int, float],
        *,
        name: str = LOSS,
        attempt: int = 1,
        at: datetime = NOW,
    ) -> None:
        """One batch; each point is a second after the one before."""
        points = tuple(
            MetricPoint(name=name, value=v, step=s, recorded_at=at + timedelta(seconds=place))
            for place, (s, v) in enumerate(values.items())
        )
        event = MetricsRecorded(job_id=JOB.job_id, agent_id="a", attempt=attempt, points=points)
        await ProjectionStore().save_metrics(self.tx, [event])

    async def values(self, names: Sequence[str] | None = None) -> list[tuple[str, int, float]]:
        points = await self.reads.points(self.tx, JOB, names)
        return [(point.name, point.step, point.value) for point in points]

    async def curve(self, points: int) -> dict[int, list[float]]:
        """Values of the only curve by step."""
        (found,) = await self.reads.curves(self.tx, JOB, points=points)
        by_step: dict[int, list[float]] = {}
        for step, value in zip(found.steps, found.values, strict=True):
            by_step.setdefault(step, []).append(value)
        return by_step


@pytest.fixture
async def series(database_url: str) -> AsyncIterator[Series]:
    settings = probe_settings(database_url, service="gateway")
    async with (
        open_service_context(settings) as shared,
        shared.database.transaction("default") as tx,
    ):
        yield Series(tx)


async def test_points_come_back_as_they_were_recorded(series: Series) -> None:
    await series.record({2: 0.5, 1: 0.75})
    await series.record({1: 9.0}, name="validation/accuracy")

    assert await series.values() == [
        (LOSS, 1, 0.75),
        ("validation/accuracy", 1, 9.0),
        (LOSS, 2, 0.5),
    ]
    assert await series.values(["validation/accuracy"]) == [("validation/accuracy", 1, 9.0)]


async def test_a_batch_that_comes_again_counts_once(series: Series) -> None:
    for _ in range(2):
        await series.record({1: 0.5, 2: 0.25})

    assert await series.values() == [(LOSS, 1, 0.5), (LOSS, 2, 0.25)]


async def test_a_training_that_goes_on_from_a_checkpoint_replaces_its_later_steps(
    series: Series,
) -> None:
    await series.record({1: 1.0, 2: 2.0, 3: 3.0})
    await series.record({4: 4.0}, at=NOW + timedelta(seconds=10))
    await series.record({3: 30.0, 4: 40.0}, at=NOW + timedelta(seconds=60))

    expected = {1: 1.0, 2: 2.0, 3: 30.0, 4: 40.0}
    assert [(step, value) for _, step, value in await series.values()] == list(expected.items())
    assert await series.curve(100) == {step: [value] for step, value in expected.items()}


async def test_a_short_series_is_whole_and_a_long_one_keeps_the_extremes_of_each_range(
    series: Series,
) -> None:
    numbers = random.Random(3)
    values = {step: numbers.gauss(0, 1) for step in range(1, 1001)}
    for start in range(1, 1001, 100):
        batch = {step: values[step] for step in range(start, start + 100)}
        await series.record(batch, at=NOW + timedelta(seconds=start))

    whole, thinned = await series.curve(1000), await series.curve(20)

    assert whole == {step: [value] for step, value in values.items()}
    expected: set[int] = set()
    for start in range(1, 1001, 100):
        part = range(start, start + 100)
        expected |= {min(part, key=values.__getitem__), max(part, key=values.__getitem__)}
    assert set(thinned) == expected
    assert all(values[step] == found[0] for step, found in thinned.items())


async def test_a_range_whose_points_are_equal_gives_few_points(series: Series) -> None:
    await series.record({step: 0.5 for step in range(100)})

    (found,) = await series.reads.curves(series.tx, JOB, points=4)

    assert (found.points, found.values) == (100, [0.5] * len(found.values))
    assert len(found.steps) <= 4


async def test_series_are_summed_up_by_attempt(series: Series) -> None:
    await series.record({1: 3.0, 2: 1.0})
    await series.record({3: 2.0}, at=NOW + timedelta(minutes=1))
    await series.record({1: 7.0}, attempt=2)

    found = await series.reads.series(series.tx, JOB)

    rows = [(s.attempt, s.points, s.last_step, s.lowest, s.highest, s.newest) for s in found]
    assert rows == [(1, 3, 3, 1.0, 3.0, 2.0), (2, 1, 1, 7.0, 7.0, 7.0)]


async def test_too_many_points_for_one_answer_are_refused_with_the_way_out(
    series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    await series.record({1: 0.5, 2: 0.25})
    monkeypatch.setattr(metrics_store, "MAX_POINTS", 1)

    with pytest.raises(Invalid, match="/curves"):
        await series.values()


async def test_a_trainer_whose_clock_is_wrong_loses_no_point(series: Series) -> None:
    await series.record({1: 0.5}, at=NOW + timedelta(days=4000))

    assert await series.values() == [(LOSS, 1, 0.5)]
    await series.reads.keep_partitions(series.tx, keep_days=1)
    assert await series.values() == [(LOSS, 1, 0.5)]


async def test_services_make_partitions_and_cannot_reach_into_them(series: Series) -> None:
    await series.record({1: 0.5})
    tx: Any = series.tx

    await series.reads.keep_partitions(series.tx, keep_days=0)

    month = f"job_metrics_{NOW:%Y_%m}"
    assert await tx.fetchval("SELECT to_regclass($1) IS NOT NULL", month)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tx.fetch(f"SELECT * FROM {month}")


async def test_old_months_are_dropped_and_the_others_stay(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    await connection.execute(
        "CREATE TABLE job_metrics_2020_01 PARTITION OF job_metrics "
        "FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z')"
    )

    assert await connection.fetchval("SELECT drop_metric_partitions(100000)") == 0
    assert await connection.fetchval("SELECT drop_metric_partitions(30)") == 1
    assert await connection.fetchval("SELECT make_metric_partitions()") == 0
    await connection.close()


FILL = """
    INSERT INTO job_metrics (tenant_id, job_id, attempt, name, first_step, last_step, recorded_at,
                             steps, amounts, epochs, moments)
    SELECT 'default', md5(run::text)::uuid, 1, 'train/loss', batch * 10, batch * 10 + 9,
           now() + batch * interval '1 s', array_fill(1, ARRAY[10]),
           array_fill(0.5::float8, ARRAY[10]), array_fill(NULL::float8, ARRAY[10]),
           array_fill(now(), ARRAY[10])
    FROM generate_series(1, 400) AS run, generate_series(1, 50) AS batch
"""


@pytest.mark.parametrize("query", ["job_metrics", "metric_series", "metric_curves"])
async def test_a_read_of_one_run_uses_the_index_of_the_months_since_it_began(
    database_url: str, query: str
) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    await connection.execute(FILL)
    await connection.execute(
        "CREATE TABLE job_metrics_2020_01 PARTITION OF job_metrics "
        "FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z'); ANALYZE job_metrics"
    )
    sql = getattr(load_queries("services.gateway"), query).sql.rstrip(" ;")
    arguments = ["md5('7')::uuid", "now() - interval '1 day'", "NULL", "100"]
    for place, argument in reversed(list(enumerate(arguments, start=1))):
        sql = sql.replace(f"${place}", argument)

    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (ANALYZE) {sql}"))

    await connection.close()
    assert f"job_metrics_{NOW:%Y_%m}_pkey" in plan
    assert f"Seq Scan on job_metrics_{NOW:%Y_%m}" not in plan
    assert "2020_01" not in plan or "never executed" in plan
