"""Connections that send half a request, over real sockets: closed, and nobody is kept out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from deploy.local.processes.tcp_ports import pick_free
from shared.process.connections import ConnectionLimit, bounded_protocol
from tests.support.eventually import eventually

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers at once and reads no body; `/slow` is answered after a while."""
    if scope["path"] == "/slow":
        await asyncio.sleep(0.6)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def listening(most: int, head_seconds: float) -> AsyncIterator[int]:
    limit = ConnectionLimit(most, head_seconds)
    port = pick_free()
    server = uvicorn.Server(
        uvicorn.Config(
            application, port=port, http=bounded_protocol(limit), lifespan="off", log_config=None
        )
    )
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


async def answer(port: int, request: bytes = WHOLE) -> bytes:
    """The start of the answer; empty where the connection was closed instead."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):
            writer.write(request)
            start = await reader.read(15)
        writer.close()
        return start


async def is_closed(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionResetError):
        while await reader.read(1_000):
            continue
    return True


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", WHOLE, WHOLE + b"GET / HTT"],
)
async def test_a_head_that_is_not_complete_in_time_ends_the_connection(start: bytes) -> None:
    async with listening(10, 0.3) as port, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(start)

        async def trickle() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await asyncio.sleep(0.05)
                    writer.write(b"a")
                    await writer.drain()

        trickling = asyncio.create_task(trickle())

        assert await is_closed(reader)
        trickling.cancel()
        writer.close()


async def test_a_body_that_nobody_reads_ends_with_the_deadline() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    async with listening(10, 0.3) as port, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"x")

        assert await is_closed(reader)
        writer.close()


async def test_a_slow_answer_has_no_deadline() -> None:
    async with listening(10, 0.3) as port:
        assert await answer(port, WHOLE.replace(b" / ", b" /slow ")) == b"HTTP/1.1 200 OK"


async def test_half_requests_do_not_keep_others_out() -> None:
    async with listening(20, 60) as port:
        halves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        for _, writer in halves:
            with contextlib.suppress(OSError):
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")

        assert [await answer(port) for _ in range(5)] == [b"HTTP/1.1 200 OK"] * 5
        for _, writer in halves:
            writer.close()


async def test_requests_that_are_being_answered_keep_their_connections() -> None:
    async with listening(2, 60) as port:
        slow = [asyncio.create_task(answer(port, WHOLE.replace(b" / ", b" /slow "))) for _ in "ab"]
        await asyncio.sleep(0.3)

        assert await answer(port) == b""
        assert [await each for each in slow] == [b"HTTP/1.1 200 OK"] * 2
