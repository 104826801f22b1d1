"""A record has one letter, and is told of once, however often its batch comes again."""

import pytest
from structlog.testing import capture_logs

from shared import quarantine
from shared.errors import PermanentError
from shared.messages import RawRecord
from tests.support.foundations import open_foundation, probe_settings

RECORD = RawRecord("topic", 0, 7, b"key", b"value")


@pytest.mark.parametrize("keep_count", [True, False])
async def test_a_record_that_is_set_aside_again_is_not_told_of_again(
    database_url: str, keep_count: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    monkeypatch.setattr(quarantine.dead_letter_counter, "add", lambda n, _: counted.append(n))
    error = PermanentError("agent is unknown")
    async with open_foundation(probe_settings(database_url)) as foundation:
        with capture_logs() as told:
            for attempts in (1, 2):
                await foundation.quarantine.set_aside(
                    RECORD, error, attempts, keep_count=keep_count
                )
        async with foundation.database.connection() as connection:
            letters = await connection.fetchval("SELECT count(*) FROM outbox")
    assert (letters, counted) == (1, [1])
    assert [line["attempts"] for line in told if line["event"] == "dead_letter"] == [1]
