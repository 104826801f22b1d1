"""Two ways to bring feedback from Kafka into committed rows, each in a process of its own.

`python -m tests.benchmarks.intake_loops coordinator|bare COUNT` reads COUNT records and prints the
seconds from the first batch in hand to the last commit. The bare loop does only what cannot be
left out: fetch, validate, insert a batch in one statement, commit, commit offsets.
"""

import os
import sys
import time
from collections.abc import Sequence
from unittest.mock import patch
from uuid import UUID

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

from archon_contracts.client.idle_fetch import pace_idle_fetches
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK
from services.coordinator.app import build_app
from services.coordinator.feedback.consumer import FeedbackConsumer
from services.coordinator.settings import Settings
from shared.messaging.messages import RawRecord

BATCH = Settings.model_fields["feedback_batch"].default
INSERT = """
    INSERT INTO bench.feedback (event_id, agent_id, body)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
"""


class Stopwatch:
    """Seconds from the first batch in hand to the commit of the last one."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._began = 0.0
        self.seconds = 0.0

    def begin(self) -> None:
        self._began = self._began or time.perf_counter()

    def end(self, records: int) -> bool:
        """True when all records are through."""
        self._missing -= records
        self.seconds = time.perf_counter() - self._began
        return self._missing <= 0


async def coordinator(count: int) -> float:
    """The whole service, its relay, sweeper and telemetry included."""
    watch = Stopwatch(count)
    consume = FeedbackConsumer.consume

    async def timed(intake: FeedbackConsumer, records: Sequence[RawRecord]) -> None:
        watch.begin()
        await consume(intake, records)
        if watch.end(len(records)):
            app.stop()

    with patch.object(FeedbackConsumer, "consume", timed):
        app = build_app(Settings())
        await app.serve()
    return watch.seconds


async def bare(count: int) -> float:
    """Fetch, validate, insert, commit."""
    database = await asyncpg.connect(os.environ["ARCHON_DATABASE_URL"])
    consumer = AIOKafkaConsumer(
        FEEDBACK.name,
        bootstrap_servers=os.environ["ARCHON_KAFKA_BOOTSTRAP_SERVERS"],
        group_id="bench.bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    # As the coordinator does: the embedded broker does not hold an empty fetch back.
    wait_ms = float(os.environ["ARCHON_KAFKA_EMPTY_FETCH_WAIT_MAX_MS"])
    pace_idle_fetches(consumer, maximum_wait_seconds=wait_ms / 1000)
    watch, done = Stopwatch(count), False
    while not done:
        fetched = await consumer.getmany(timeout_ms=50, max_records=BATCH)
        records = [record for part in fetched.values() for record in part]
        if not records:
            continue
        watch.begin()
        rows = []
        for record in records:
            body = FeedbackReceived.model_validate_json(record.value)
            event_id = UUID(dict(record.headers)["ce_id"].decode())
            rows.append((event_id, body.agent_id, record.value))
        async with database.transaction():
            await database.execute(INSERT, *zip(*rows, strict=True))
        done = watch.end(len(records))
        await consumer.commit()
    await consumer.stop()
    await database.close()
    return watch.seconds


if __name__ == "__main__":
    loop = {"coordinator": coordinator, "bare": bare}[sys.argv[1]]
    print(uvloop.run(loop(int(sys.argv[2]))))
