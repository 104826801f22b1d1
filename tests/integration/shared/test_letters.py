"""A record has one letter, and is told of once, however often its batch comes again."""

from types import SimpleNamespace

import pytest

from shared.errors import PermanentError
from shared.kafka import retry_policy as quarantine
from shared.messaging.messages import RawRecord
from tests.support.infrastructure.service_contexts import open_foundation, probe_settings

RECORD = RawRecord("topic", 0, 7, b"key", b"value")


@pytest.mark.parametrize("keep_count", [True, False])
async def test_a_record_that_is_set_aside_again_is_not_told_of_again(
    database_url: str, keep_count: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, told = list[int](), list[object]()
    # Not by the library's capture: what other tests set up keeps a logger's processors.
    note = SimpleNamespace(error=lambda event, **fields: told.append((event, fields["attempts"])))
    monkeypatch.setattr(quarantine, "log", note)
    monkeypatch.setattr(quarantine.dead_letter_counter, "add", lambda n, _: counted.append(n))
    error = PermanentError("agent is unknown")
    async with open_foundation(probe_settings(database_url)) as foundation:
        for attempts in (1, 2):
            await foundation.quarantine.set_aside(RECORD, error, attempts, keep_count=keep_count)
        async with foundation.database.connection() as connection:
            letters = await connection.fetchval("SELECT count(*) FROM outbox")
    assert (letters, counted) == (1, [1])
    assert told == [("dead_letter", 1)]
