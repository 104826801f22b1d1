"""The embedded PostgreSQL: durable, fast to start, and never in the way of the next start."""

import asyncpg
import psutil
import pytest
import pytest_asyncio

from deploy.local.errors import StartError
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.postgres import NOT_DURABLE, EmbeddedPostgres
from tests.support.eventually import eventually

# The shared server's process is watched by the loop that started it.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server has its data."""
    return tmp_path_factory.mktemp("postgres")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder):
    """A server with the product's settings; each test leaves it running.

    It is shared because making a cluster takes longer than any of these tests.
    """
    shared = EmbeddedPostgres(folder, pick_free())
    await shared.start()
    yield shared
    await shared.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def own_server(tmp_path):
    """A server of this test alone, started; its data may be damaged."""
    own = EmbeddedPostgres(tmp_path, pick_free(), settings=NOT_DURABLE)
    await own.start()
    yield own
    await own.stop()


async def test_rows_are_kept_over_stop_and_start(server):
    await execute(server, "CREATE TABLE kept_a (n int)", "INSERT INTO kept_a VALUES (7)")
    await server.stop()

    await server.start()

    assert await value(server, "SELECT n FROM kept_a") == 7


async def test_a_killed_server_starts_again_with_its_rows_beside_open_sessions(server, folder):
    await execute(server, "CREATE TABLE kept_b (n int)", "INSERT INTO kept_b VALUES (7)")
    session = await asyncpg.connect(server.url)
    postmaster = int((folder / "cluster" / "postmaster.pid").read_text().splitlines()[0])
    psutil.Process(postmaster).kill()

    await server.start()

    assert await value(server, "SELECT n FROM kept_b") == 7
    session.terminate()


async def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(server, folder):
    await server.stop()
    init = psutil.Process().parent()
    (folder / "cluster" / "postmaster.pid").write_text(f"{init.pid}\n")

    await server.start()

    assert init.is_running()


async def test_a_commit_waits_for_the_disk(server):
    # Not the server that tests share, which is started without these.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await value(server, f"SHOW {setting}") == "on"


async def test_services_are_no_superuser(postgres):
    assert await value(postgres, "SHOW is_superuser") == "off"


async def test_a_wrong_password_is_refused(postgres):
    wrong = postgres.url.replace(":", ":not-", 2).replace("not-//", "//")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_a_server_that_cannot_start_says_why_in_one_sentence(own_server, tmp_path):
    await own_server.stop()
    (tmp_path / "cluster" / "PG_VERSION").write_text("9\n")

    with pytest.raises(StartError, match=r"postgres ended with 1; its log .* ends with"):
        await own_server.start()


async def test_stopping_leaves_no_process(own_server, tmp_path):
    assert family(tmp_path)
    await own_server.stop()

    await eventually(lambda: not family(tmp_path))


def family(directory):
    return [p for p in psutil.process_iter(["cmdline"]) if str(directory) in str(p.info["cmdline"])]


async def execute(server, *statements):
    connection = await asyncpg.connect(server.url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def value(server, query):
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
