"""A real PostgreSQL and the broker of `ARCHON_TEST_BROKER`, started when first asked for.

Each test process starts one of each, in a temporary directory. They die with the process.
"""

import asyncio
import os
import uuid
from collections.abc import Iterator

import asyncpg
import pytest

from archon_contracts.topics import SERVICES
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.postgres import NOT_DURABLE, EmbeddedPostgres
from shared.postgres.migrations import migrate
from tests.support.eventually import eventually
from tests.support.infrastructure.brokers import make_broker

TEMPLATE = "archon_template"
PROBE = "probe"
"""The made-up service of `tests.support.infrastructure.service_contexts`."""


def pytest_configure() -> None:
    """Let no local system that a test starts, itself or by a command, wait for the disk.

    The data of a test dies with it, so nothing has to survive a power cut; waiting for the disk was
    a third of the time of creating and dropping a database, and most of that of a new cluster.
    Tests of durability start servers of their own, with the product's settings.
    """
    os.environ.setdefault("ARCHON_LOCAL_DURABLE", "false")


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
    name = f"test_{uuid.uuid4().hex}"
    _server_loop.run(_execute(postgres.url, f"CREATE DATABASE {name}"))
    yield _url_of(postgres, name)
    _server_loop.run(_drop(postgres.url, name))


@pytest.fixture
def database_url(
    _server_loop: asyncio.Runner, postgres: EmbeddedPostgres, migrated_template: str
) -> Iterator[str]:
    """A database with every service's schema, for one test: a copy of a prepared one."""
    name = f"test_{uuid.uuid4().hex}"
    _server_loop.run(_execute(postgres.url, copy_statement(name, migrated_template)))
    yield _url_of(postgres, name)
    _server_loop.run(_drop(postgres.url, name))


@pytest.fixture(scope="session")
def migrated_template(_server_loop: asyncio.Runner, postgres: EmbeddedPostgres) -> str:
    """The name of a database with every service's schema, to be copied and not used."""
    _server_loop.run(_execute(postgres.url, f"CREATE DATABASE {TEMPLATE}"))
    _server_loop.run(_migrate_all(_url_of(postgres, TEMPLATE)))
    return TEMPLATE


def copy_statement(name: str, template: str) -> str:
    """The statement that makes a database as a copy of a prepared one.

    Copying files takes a third of the time of the default, which writes every page to the log;
    what makes it slow elsewhere, two checkpoints, costs little where nobody waits for the disk.
    """
    return f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"


async def _migrate_all(url: str) -> None:
    for service in (*SERVICES, PROBE):
        await migrate(url, service)


async def _drop(url: str, name: str) -> None:
    """Drop a database, once no vacuum worker of the server is at work in it."""

    async def dropped() -> bool:
        try:
            await _execute(url, f"DROP DATABASE {name} WITH (FORCE)")
        except asyncpg.InsufficientPrivilegeError:
            return False
        return True

    await eventually(dropped, timeout=30)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _url_of(postgres: EmbeddedPostgres, database: str) -> str:
    return f"{postgres.url.rpartition('/')[0]}/{database}"
