"""HTTP servers inside a service's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from shared.errors import StartupFailed
from shared.process.connections import (
    MAX_HEAD_BYTES,
    ConnectionLimit,
    bounded_protocol,
    connection_limit,
)


@dataclass(frozen=True, slots=True)
class Listener:
    """An ASGI application and where it listens; `setting` names the port's variable.

    Of `trusted_proxies` (addresses or networks, by commas) the client that they name is believed.
    """

    app: Any
    host: str
    port: int
    setting: str
    trusted_proxies: str = ""


DATE_SECONDS: Final = 1.0
"""The Date header is made anew so often."""


class _Server(uvicorn.Server):
    """The application handles signals, not its servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Take no more connections, and let requests finish."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Wait for the end.

        uvicorn's own loop looks for it ten times a second, which was a tenth of an idle service's
        CPU time.
        """
        while not await self.on_tick(0):  # 0: the tick that makes the Date header anew
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_SECONDS):
                    await self._ending.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(listener: Listener) -> socket.socket:
    """The listening socket.

    Raises:
        StartupFailed: the port is taken, or not ours to take.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A process that was restarted may bind while the old one's connections are in TIME_WAIT.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((listener.host, listener.port))
    except OSError as error:
        listening.close()
        raise StartupFailed(
            f"cannot listen on {listener.host}:{listener.port} ({error.strerror}); "
            f"choose another port with {listener.setting}"
        ) from error
    return listening


@contextlib.asynccontextmanager
async def serve_listeners(
    listeners: Sequence[Listener], stop_seconds: Callable[[], float]
) -> AsyncIterator[None]:
    """Serve while the block runs; requests may take so long to end."""
    # All ports before the first server: one that is taken ends the start before a request comes.
    sockets = [bind(listener) for listener in listeners]
    servers = [_server(listener) for listener in listeners]
    tasks = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, sockets, strict=True)
    ]
    try:
        yield
    finally:
        for server in servers:
            server.end()
        await asyncio.wait(tasks, timeout=stop_seconds())
        for bound in sockets:
            bound.close()


def _server(listener: Listener) -> _Server:
    return _Server(
        uvicorn.Config(
            listener.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
            server_header=False,
            # This parser bounds the headers; the one that uvicorn takes where it finds it does not.
            http=bounded_protocol(ConnectionLimit(connection_limit())),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            # A connection that is upgraded would have none of these limits.
            ws="none",
            # Left alone, uvicorn believes whoever connects from the same machine.
            proxy_headers=bool(listener.trusted_proxies),
            forwarded_allow_ips=listener.trusted_proxies,
        )
    )
