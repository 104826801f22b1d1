"""A record has one letter, and is reported of once, however often its batch comes again."""

from types import SimpleNamespace

import pytest

from shared.errors import PermanentError
from shared.kafka import retry_policy as retry_policy
from shared.messaging.messages import RawRecord
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

RECORD = RawRecord("topic", 0, 7, b"key", b"value")


@pytest.mark.parametrize("keep_count", [True, False])
async def test_a_record_that_is_set_aside_again_is_not_reported_again(
    database_url: str, keep_count: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, reported = list[int](), list[object]()
    # Not by the library's capture: what other tests set up keeps a logger's processors.
    recording_log = SimpleNamespace(
        error=lambda event, **fields: reported.append((event, fields["attempts"]))
    )
    monkeypatch.setattr(retry_policy, "log", recording_log)
    monkeypatch.setattr(retry_policy.dead_letter_counter, "add", lambda n, _: counted.append(n))
    error = PermanentError("agent is unknown")
    async with open_service_context(probe_settings(database_url)) as service_context:
        for attempts in (1, 2):
            await service_context.retry_policy.send_to_dead_letters(
                RECORD, error, attempts, keep_count=keep_count
            )
        async with service_context.database.connection() as connection:
            letters = await connection.fetchval("SELECT count(*) FROM outbox")
    assert (letters, counted) == (1, [1])
    assert reported == [("dead_letter", 1)]
