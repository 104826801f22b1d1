"""A real PostgreSQL and the broker of `ARCHON_TEST_BROKER`, started when first asked for.

Each test process starts one of each, in a temporary directory. They die with the process.
"""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from archon_contracts.topics import SERVICES
from deploy.local.credentials import read_or_create
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.postgres import NOT_DURABLE, SUPERUSER, EmbeddedPostgres
from shared.postgres.migrations import migrate
from tests.support.database_pool import DatabasePool, drop_database
from tests.support.infrastructure.brokers import make_broker

TEMPLATE = "archon_template"
SHORT_LIVED_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""A node of Apache Kafka lives for seconds here: too short for the second compiler to pay off."""
PROBE = "probe"
"""The made-up service of `tests.support.infrastructure.service_contexts`."""


def pytest_configure() -> None:
    """Let no local system that a test starts, itself or by a command, wait for the disk.

    The data of a test dies with it, so nothing has to survive a power cut; waiting for the disk was
    a third of the time of creating and dropping a database, and most of that of a new cluster.
    Tests of durability start servers of their own, with the product's settings.
    """
    os.environ.setdefault("ARCHON_LOCAL_DURABLE", "false")
    # Apache's scripts take a collector from the first, in place of their own; the scripts of other
    # homes may know the second alone, and ran with both compilers: 9 s of a core a node, not 5.
    for name in ("KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_OPTS"):
        os.environ.setdefault(name, SHORT_LIVED_JVM)


@pytest.fixture(scope="session")
def _server_loop() -> Iterator[asyncio.Runner]:
    """The loop that watches the servers' processes; tests run on loops of their own."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="session")
def postgres(
    _server_loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for the whole run."""
    folder = tmp_path_factory.mktemp("postgres")
    server = EmbeddedPostgres(folder, pick_free(), settings=NOT_DURABLE)
    _server_loop.run(server.start())
    yield server
    _server_loop.run(server.stop())


@pytest.fixture(scope="session")
def kafka(_server_loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a broker for the whole run; use topic names of your own."""
    broker = make_broker(tmp_path_factory.mktemp("broker"))
    _server_loop.run(broker.start())
    yield broker.bootstrap_servers
    _server_loop.run(broker.stop())


@pytest.fixture
def empty_database_url(_server_loop: asyncio.Runner, postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database without any schema, for one test."""
    name = f"empty_{uuid.uuid4().hex}"
    _server_loop.run(_execute(postgres.url, f"CREATE DATABASE {name}"))
    yield _url_of(postgres, name)
    _server_loop.run(drop_database(postgres.url, name))


@pytest.fixture
def database_url(
    _server_loop: asyncio.Runner, postgres: EmbeddedPostgres, database_pool: DatabasePool
) -> Iterator[str]:
    """A database with every service's schema, as good as new, for one test."""
    with _taken(_server_loop, database_pool) as name:
        yield _url_of(postgres, name)


@pytest.fixture(scope="module")
def module_database_url(
    _server_loop: asyncio.Runner, postgres: EmbeddedPostgres, database_pool: DatabasePool
) -> Iterator[str]:
    """The same for all tests of a module together."""
    with _taken(_server_loop, database_pool) as name:
        yield _url_of(postgres, name)


@pytest.fixture(scope="session")
def database_pool(_server_loop: asyncio.Runner, postgres: EmbeddedPostgres) -> DatabasePool:
    """The databases with every service's schema that the tests of this process use in turn."""
    pool = DatabasePool(superuser_url(postgres), TEMPLATE)
    _server_loop.run(_make_template(postgres))
    _server_loop.run(pool.open())
    return pool


@contextmanager
def _taken(loop: asyncio.Runner, pool: DatabasePool) -> Iterator[str]:
    name = loop.run(pool.take())
    try:
        yield name
    finally:
        loop.run(pool.put_back(name))


def superuser_url(postgres: EmbeddedPostgres) -> str:
    """The same database as the superuser sees it: an operator of a server has that login too."""
    password = read_or_create(postgres._directory / "superuser-password")
    return f"postgresql://{SUPERUSER}:{password}@{postgres.url.partition('@')[2]}"


async def _make_template(postgres: EmbeddedPostgres) -> None:
    await _execute(postgres.url, f"CREATE DATABASE {TEMPLATE}")
    for service in (*SERVICES, PROBE):
        await migrate(_url_of(postgres, TEMPLATE), service)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _url_of(postgres: EmbeddedPostgres, database: str) -> str:
    return f"{postgres.url.rpartition('/')[0]}/{database}"
