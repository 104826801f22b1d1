"""Whatever is not a message's fault is something to wait for."""

import traceback

import asyncpg
import pytest

from shared.errors import ConstraintViolated, DatabaseUnavailable, StartupFailed
from shared.postgres.database import Database, connect, translated_errors

SECRET = "hunter2"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DiskFullError,
        asyncpg.TooManyConnectionsError,
        asyncpg.PostgresIOError,
        asyncpg.AdminShutdownError,
    ],
)
def test_a_server_in_need_is_waited_for(error: type[asyncpg.PostgresError]) -> None:
    with pytest.raises(DatabaseUnavailable), translated_errors():
        raise error("could not extend file")


def test_a_refused_row_is_not_quoted() -> None:
    error = asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    error.detail = f"Key (input)=({SECRET}) already exists."

    with pytest.raises(ConstraintViolated) as caught, translated_errors():
        raise error

    shown = "".join(traceback.format_exception(caught.value))
    assert "duplicate key" in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://archon:{SECRET}/more@127.0.0.1:9/archon",
        f"postgresql://archon:{SECRET}#more@127.0.0.1:9/archon",
        f"postgresql://archon:more?{SECRET}@127.0.0.1:9/archon",
        f"archon:{SECRET}@127.0.0.1/archon",
        f"postgresql://archon:{SECRET}@127.0.0.1:9/archon?sslmode={SECRET}",
    ],
    ids=["slash", "hash", "question mark", "no scheme", "sslmode"],
)
async def test_a_url_that_cannot_be_read_shows_nothing_of_its_password(url: str) -> None:
    with pytest.raises(StartupFailed, match="ARCHON_DATABASE_URL") as opened:
        await Database(url, "probe").open(timeout_seconds=1)
    with pytest.raises(StartupFailed, match="ARCHON_DATABASE_URL") as connected:
        await connect(url, "probe")

    for caught in (opened, connected):
        assert SECRET not in "".join(traceback.format_exception(caught.value))
