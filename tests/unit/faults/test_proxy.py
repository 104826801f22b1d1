"""The proxy does to connections what it says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.faults.brokers.proxy import Mode, Proxy


@contextlib.asynccontextmanager
async def _echo() -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.transport.abort()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1])
    async with server, proxy.serving():
        yield proxy


async def _ask(proxy: Proxy) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(b"ping")
        async with asyncio.timeout(0.3):
            return await reader.read(4)
    finally:
        writer.transport.abort()


async def test_traffic_passes() -> None:
    async with _echo() as proxy:
        assert await _ask(proxy) == b"ping"


async def test_refused_connections_get_no_answer() -> None:
    async with _echo() as proxy:
        proxy.set_mode(Mode.REFUSE)
        with contextlib.suppress(ConnectionError):
            assert await _ask(proxy) == b""


async def test_hanging_connections_answer_when_released() -> None:
    async with _echo() as proxy:
        proxy.set_mode(Mode.HANG)
        with pytest.raises(TimeoutError):
            await _ask(proxy)
        proxy.set_mode(Mode.PASS)
        assert await _ask(proxy) == b"ping"


async def test_open_connections_can_be_cut() -> None:
    async with _echo() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ping")
        await reader.read(4)
        assert proxy.cut() == 2
        with contextlib.suppress(ConnectionError):
            assert await reader.read(4) == b""
        writer.close()


async def test_answers_can_name_the_proxy_in_place_of_the_server() -> None:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(b"\x00\x09127.0.0.1" + own_port.to_bytes(4, "big"))
        writer.close()

    server = await asyncio.start_server(tell, "127.0.0.1", 0)
    own_port = server.sockets[0].getsockname()[1]
    async with server, Proxy("127.0.0.1", own_port, advertises_address=True).serving() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ask!")
        answer = await reader.read(100)
        writer.transport.abort()
    assert int.from_bytes(answer[-4:], "big") == proxy.port
