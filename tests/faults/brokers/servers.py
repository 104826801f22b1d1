"""A PostgreSQL and the broker of `ARCHON_TEST_BROKER`, of one scenario, to be stopped or killed."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from archon_contracts.topics import ALL_TOPICS, dead_letters
from deploy.local.processes.child import Child
from deploy.local.processes.component import start_unsupervised
from deploy.local.processes.ports import Component
from deploy.local.processes.tcp_ports import LOOPBACK, pick_free
from deploy.local.servers.postgres import EmbeddedPostgres
from shared.kafka.topic_admin import ensure_topics
from tests.faults.brokers.proxy import Proxy
from tests.support.infrastructure.brokers import make_broker

STOP_SECONDS = 20.0
IMMEDIATE = signal.SIGQUIT
"""PostgreSQL's immediate shutdown: sessions are cut, the log is replayed at the next start."""


class Server:
    """One server process, with its address."""

    def __init__(self, part: Component) -> None:
        self._component = part
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._component.port

    async def start(self) -> None:
        """Start it and return when it answers."""
        self._child = await start_unsupervised(self._component)

    async def end(self, number: signal.Signals) -> None:
        """Send a signal that ends it, and wait until it has ended."""
        if self._child is not None:
            self._child.send_signal(number)
            await self._child.wait()
            self._child = None

    async def restart(self, number: signal.Signals) -> None:
        """End it with this signal, and start it again on the same port."""
        await self.end(number)
        await self.start()

    async def ensure_running(self) -> None:
        """Start it again if it has ended by itself."""
        if self._child is None or self._child.returncode is not None:
            await self.start()

    def send(self, number: signal.Signals) -> None:
        """Send a signal that it survives, such as SIGSTOP."""
        if self._child is not None:
            self._child.send_signal(number)

    async def stop(self) -> None:
        """Stop it for good."""
        if self._child is not None:
            self._child.send_signal(signal.SIGCONT)
            await self._child.stop(STOP_SECONDS)
            self._child = None


class Servers:
    """Both servers, and the addresses at which a probe finds them."""

    def __init__(self, folder: Path) -> None:
        self._postgres = EmbeddedPostgres(folder / "postgres", pick_free())
        self.postgres = Server(self._postgres)
        self.broker = Server(make_broker(folder / "broker"))

    @property
    def database_url(self) -> str:
        """The database, without a proxy in between."""
        return self._postgres.url

    @property
    def bootstrap_servers(self) -> str:
        """The broker, without a proxy in between."""
        return f"{LOOPBACK}:{self.broker.port}"

    async def start(self, *, broker: bool = True) -> None:
        """Start both and make the topics; or the database alone."""
        await self.postgres.start()
        await self._postgres.provision()
        if not broker:
            return
        await self.broker.start()
        own = tuple(dead_letters(name) for name in ("probe", "receiver"))
        await ensure_topics(self.bootstrap_servers, topics=ALL_TOPICS + own)

    async def stop(self) -> None:
        """Stop both."""
        await self.broker.stop()
        await self.postgres.stop()

    def reader(self) -> Reader:
        """Asks the database without a proxy in between."""
        return Reader(self.database_url)

    def proxied(self, database: Proxy) -> str:
        """The database's URL by way of a proxy."""
        place = f"{LOOPBACK}:{self.postgres.port}"
        return self.database_url.replace(place, database.address)


@asynccontextmanager
async def servers(folder: Path, *, broker: bool = True) -> AsyncIterator[Servers]:
    """Both servers while the block runs, or the database alone."""
    both = Servers(folder)
    try:
        await both.start(broker=broker)
        yield both
    finally:
        await both.stop()


class Reader:
    """Asks a database on one connection, which is renewed when it breaks."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of one query.

        Raises:
            OSError: the database cannot be asked now.
        """
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._url, timeout=5)
            return list(await self._connection.fetch(query, *arguments, timeout=30))
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.close()
            raise ConnectionError(str(error)) from error

    async def value(self, query: str, *arguments: object) -> int:
        """The one number that a query gives. Raises as `fetch` does."""
        return int((await self.fetch(query, *arguments))[0][0])

    async def execute(self, statements: str) -> None:
        """Run several statements. Raises as `fetch` does."""
        await self.fetch("SELECT 1")
        if self._connection is not None:
            await self._connection.execute(statements)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
