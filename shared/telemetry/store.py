"""The writer: a bounded queue in memory, flushed to PostgreSQL by one task.

Whoever records never waits. When the queue is full the newest records are dropped and counted;
when PostgreSQL is away they wait in the queue until it is full.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from shared.errors import ArchonError, PermanentError
from shared.postgres.database import Database, Tx
from shared.postgres.queries import load_queries
from shared.telemetry.records import LogRow, MetricRow, SpanRow, clean, to_json

_queries = load_queries("shared")

Row = SpanRow | LogRow | MetricRow


class TelemetryStore:
    """A queue of rows from any thread; `run` stores them."""

    name = "telemetry"

    def __init__(
        self, database: Database, service: str, *, capacity: int = 20_000, every: float = 0.5
    ) -> None:
        self._database = database
        self.service = service
        self._capacity = capacity
        self._every = every
        self._rows: deque[Row] = deque()
        self._lock = threading.Lock()
        self.dropped = 0

    def add(self, row: Row) -> None:
        """Queue a row, or count it as dropped."""
        with self._lock:
            if len(self._rows) >= self._capacity:
                self.dropped += 1
            else:
                self._rows.append(row)

    def add_log(self, event: Mapping[str, Any]) -> None:
        """Queue a log line's fields."""
        fields = dict(event)
        fields.pop("service", None)
        self.add(
            LogRow(
                at=datetime.now(UTC),
                level=clean(str(fields.pop("level", "info"))),
                event=clean(str(fields.pop("event", ""))),
                trace_id=clean(str(fields.pop("trace_id", ""))),
                span_id=clean(str(fields.pop("span_id", ""))),
                fields=to_json(fields),
            )
        )

    async def run(self) -> None:
        """Store the queued rows, every half second, until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            await self.flush()

    async def flush(self) -> None:
        """Store the queued rows; while the database is unreachable they stay queued."""
        while rows := self._pop_rows(2_000):
            try:
                async with self._database.across_tenants() as tx:
                    await self._insert(tx, rows)
            except (PermanentError, asyncpg.PostgresError):
                # A row that the database refuses; telemetry must not end the service.
                self.dropped += len(rows)
            except ArchonError:
                # Not logged: a log line would be one more row in this very queue.
                self._put_back(rows)
                return

    def _pop_rows(self, most: int) -> list[Row]:
        with self._lock:
            return [self._rows.popleft() for _ in range(min(most, len(self._rows)))]

    def _put_back(self, rows: Sequence[Row]) -> None:
        with self._lock:
            # At the front, in their order: they are older than what was queued meanwhile.
            self._rows.extendleft(reversed(rows))

    async def _insert(self, tx: Tx, rows: Sequence[Row]) -> None:
        if spans := [row for row in rows if isinstance(row, SpanRow)]:
            await insert_spans(tx, spans)
        if logs := [row for row in rows if isinstance(row, LogRow)]:
            await _queries.insert_logs(
                tx,
                service=self.service,
                moments=[row.at for row in logs],
                levels=[row.level for row in logs],
                events=[row.event for row in logs],
                trace_ids=[row.trace_id for row in logs],
                span_ids=[row.span_id for row in logs],
                fields=[row.fields for row in logs],
            )
        if metrics := [row for row in rows if isinstance(row, MetricRow)]:
            await _queries.insert_metrics(
                tx,
                service=self.service,
                moments=[row.at for row in metrics],
                names=[row.name for row in metrics],
                kinds=[row.kind for row in metrics],
                amounts=[row.value for row in metrics],
                attributes=[row.attributes for row in metrics],
            )


async def insert_spans(tx: Tx, spans: Sequence[SpanRow]) -> None:
    """Store spans; one that is there already is left as it is."""
    await _queries.insert_spans(
        tx,
        trace_ids=[row.trace_id for row in spans],
        span_ids=[row.span_id for row in spans],
        parent_ids=[row.parent_id for row in spans],
        services=[row.service for row in spans],
        names=[row.name for row in spans],
        kinds=[row.kind for row in spans],
        starts=[row.started_at for row in spans],
        ends=[row.ended_at for row in spans],
        statuses=[row.status for row in spans],
        errors=[row.error for row in spans],
        attributes=[row.attributes for row in spans],
        links=[row.links for row in spans],
    )
