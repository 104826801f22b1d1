"""A TCP proxy in front of a server, whose connections can be refused, cut, frozen or slowed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum

CHUNK = 65_536
Admit = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class Mode(Enum):
    """What the proxy does to traffic."""

    PASS = "pass"
    REFUSE = "refuse"  # new connections are closed at once, old ones are cut
    HANG = "hang"  # bytes stop moving, connections stay open
    SLOW = "slow"  # every chunk waits


class Proxy:
    """Forwards 127.0.0.1:`port` to the target."""

    def __init__(
        self,
        target_host: str,
        target_port: int,
        *,
        delay_seconds: float = 0.1,
        advertises_address: bool = False,
        tls: ssl.SSLContext | None = None,
        admit: Admit | None = None,
    ) -> None:
        """A Kafka broker advertises its address to clients, and they would go past the proxy: with
        `advertises_address` answers name the proxy's port in place of the target's. With `tls`
        clients speak TLS; `admit` first talks to each of them, and says whether it may pass."""
        self._target = (target_host, target_port)
        self._advertises_address = advertises_address
        self._tls = tls
        self._admit = admit
        self._delay = delay_seconds
        self._mode = Mode.PASS
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.accepted = 0

    @property
    def address(self) -> str:
        """host:port to connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._writers) // 2

    def set_mode(self, mode: Mode) -> None:
        """Change what happens from now on, to open connections too."""
        self._mode = mode
        if mode is Mode.HANG:
            self._moving.clear()
        else:
            self._moving.set()
        if mode is Mode.REFUSE:
            self.cut()

    def cut(self) -> int:
        """Reset every open connection; returns how many there were."""
        writers = list(self._writers)
        for writer in writers:
            writer.transport.abort()
        return len(writers)

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Proxy]:
        """Forward while the block runs."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._moving.set()
            self.cut()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._mode is Mode.REFUSE or task is None:
            writer.transport.abort()
            return
        self.accepted += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._admit is not None and not await self._admit(reader, writer):
            writer.close()
            return
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, target_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                self._pump(reader, target_writer),
                self._pump(target_reader, writer, answers=self._advertises_address),
            )
        finally:
            self._writers -= both
            for end in both:
                end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        host, port = self._target
        there, here = (host.encode() + number.to_bytes(4, "big") for number in (port, self.port))
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if answers:
                    chunk = chunk.replace(there, here)  # host and port stand side by side
                await self._moving.wait()
                if self._mode is Mode.SLOW:
                    await asyncio.sleep(self._delay)
                writer.write(chunk)
                await writer.drain()
        writer.close()
