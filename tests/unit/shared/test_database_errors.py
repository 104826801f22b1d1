"""Whatever is not a message's fault is something to wait for."""

import asyncpg
import pytest

from shared.database import translated_errors
from shared.errors import DatabaseUnavailable


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
