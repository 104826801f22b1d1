"""PostgreSQL and the broker alone, for tests and tools that need no service."""

from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.broker import EmbeddedBroker
from deploy.local.servers.postgres import EmbeddedPostgres


class EmbeddedServers:
    """The database and the broker, started together in one directory that the caller alone uses."""

    def __init__(self, data_dir: Path) -> None:
        postgres_port = pick_free()
        broker_port = pick_free(taken=frozenset({postgres_port}))
        self.postgres = EmbeddedPostgres(data_dir / "postgres", postgres_port)
        self.broker = EmbeddedBroker(data_dir / "broker", broker_port)

    @property
    def database_url(self) -> str:
        """The connection URL of the services' database."""
        return self.postgres.url

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return self.broker.bootstrap_servers

    async def start(self) -> None:
        """Start both and return when both can be used; nothing runs when one fails."""
        try:
            await self.postgres.start()
            await self.broker.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop both; their data stays."""
        await self.broker.stop()
        await self.postgres.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
