"""Telemetry that the database refuses is dropped and counted; what follows is stored."""

from datetime import UTC, datetime

from shared.telemetry.records import LogRow
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings


async def test_a_refused_row_does_not_end_the_writer(database_url: str) -> None:
    async with open_service_context(probe_settings(database_url)) as service_context:
        store = service_context.telemetry
        store.add(LogRow(datetime.now(UTC), "info", "bad", "", "", '{"no": JSON}'))
        await store.flush()
        store.add_log({"event": "good", "reason": "a\\\x00\ud800"})
        await store.flush()
        async with service_context.database.connection() as connection:
            events = await connection.fetch("SELECT event FROM telemetry.logs")
    assert [row["event"] for row in events] == ["good"]
    assert store.dropped == 1
