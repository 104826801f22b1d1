"""PostgreSQL behind PgBouncer: sessions work, and a pooler of transactions is refused at once."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from shared.errors import StartupFailed
from shared.postgres.database import Database, connect
from shared.postgres.migrations import list_pending, migrate
from shared.postgres.tenants import SERVICES_ROLE
from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import process_of

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="PgBouncer is not installed (apt: pgbouncer)"
)
SESSION = "SELECT current_user::text, current_schema()::text, current_setting('application_name')"


@asynccontextmanager
async def pooler(url: str, folder: Path, mode: str, size: int = 4) -> AsyncIterator[str]:
    """The address of a PgBouncer in front of this database."""
    target = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    host, name = target.hostname, target.path.lstrip("/")
    login, password = target.username or "", unquote(target.password or "")
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{name} = host={host} port={target.port} dbname={name} "
        f"user={login} password='{password}'\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n"
    )
    for each in (folder, folder.parent, folder.parent.parent, folder / "pgbouncer.ini"):
        each.chmod(0o755)
    user = ["-u", "nobody"] if os.getuid() == 0 else []

    async def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    async with process_of(PROGRAM or "", *user, str(folder / "pgbouncer.ini"), **output):
        await eventually(answers)
        yield f"postgresql://{login}@127.0.0.1:{port}/{name}"


async def test_a_pooler_of_sessions_serves_every_service(
    empty_database_url: str, tmp_path: Path
) -> None:
    async with pooler(empty_database_url, tmp_path, "session") as url:
        assert await migrate(url, "probe") != []
        assert await list_pending(url, "probe", role=SERVICES_ROLE) == []
        database = Database(url, "probe", pool_size=2, role=SERVICES_ROLE)
        await database.open(timeout_seconds=5)
        try:
            for _ in range(3):  # a connection that was given back is as it was
                async with database.connection() as connection:
                    row = await connection.fetchrow(SESSION)
                    assert tuple(row) == (SERVICES_ROLE, "probe", "probe")
        finally:
            await database.close()
        single = await connect(url, "probe", role=SERVICES_ROLE)
        row = await single.fetchrow(SESSION)
        assert row is not None
        assert row[0] == SERVICES_ROLE
        await single.close()


@pytest.mark.parametrize(
    ("mode", "size"), [("transaction", 1), ("transaction", 4), ("statement", 4)]
)
async def test_a_pooler_of_transactions_is_refused_with_what_to_set(
    empty_database_url: str, tmp_path: Path, mode: str, size: int
) -> None:
    async with pooler(empty_database_url, tmp_path, mode, size) as url, asyncio.timeout(15):
        with pytest.raises(StartupFailed, match="set pool_mode = session"):
            await Database(url, "probe", role=None).open(timeout_seconds=5)
        with pytest.raises(StartupFailed, match="set pool_mode = session"):
            await migrate(url, "probe")
