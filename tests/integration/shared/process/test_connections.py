"""Connections that keep us waiting, over real sockets: closed, and nobody is kept out."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import uvicorn

from deploy.local.processes.tcp_ports import pick_free
from shared.process.connections import ConnectionLimit, bounded_protocol
from tests.support.eventually import eventually

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE, CHUNK = 6_000_000, 100_000
LARGE_REQUEST = b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PAGES = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" * 100
HALF_BODY = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers at once; `/slow` after a while, `/large` with much, `/body` once it has the body,
    `/page` with a page."""
    if scope["path"] == "/slow":
        await asyncio.sleep(0.6)
    if scope["path"] == "/body":
        while (await receive()).get("more_body"):
            continue
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(LARGE // CHUNK):
            await send({"type": "http.response.body", "body": b"x" * CHUNK, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    body = b"x" * CHUNK if scope["path"] == "/page" else b"ok"
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


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


@contextlib.contextmanager
def unread_connection(port: int, request: bytes, kept: int = 4096) -> Iterator[socket.socket]:
    """A connection that sent what it could of the request, and of which nothing is read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kept)
        connection.connect(("127.0.0.1", port))
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.send(request)
        yield connection


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


@pytest.mark.parametrize("request_sent", [LARGE_REQUEST, PAGES])
async def test_an_answer_that_nobody_reads_ends_the_connection(request_sent: bytes) -> None:
    async with listening(10, 0.3) as port, asyncio.timeout(10):
        with unread_connection(port, request_sent) as connection:

            async def is_reset() -> bool:
                return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

            await eventually(is_reset)


async def test_a_slow_reader_gets_its_whole_answer() -> None:
    async with listening(10, 0.3) as port, asyncio.timeout(20):
        with unread_connection(port, LARGE_REQUEST, kept=100_000) as connection:
            received, loop = 0, asyncio.get_running_loop()
            # Longer than the deadline: the kernel keeps megabytes, which are read before it is
            # seen that there is room for more.
            while part := await loop.sock_recv(connection, 100_000):
                received += len(part)
                await asyncio.sleep(0.01)

    assert received > LARGE


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nHost: x\r\n", HALF_BODY, LARGE_REQUEST, PAGES]
)
async def test_those_who_keep_us_waiting_keep_nobody_out(start: bytes) -> None:
    async with listening(5, 60) as port:
        with contextlib.ExitStack() as waiting:
            for _ in range(12):
                waiting.enter_context(unread_connection(port, start))
            await asyncio.sleep(0.3)  # until all are accepted, and their requests read

            async def is_answered() -> bool:
                return await answer(port) == b"HTTP/1.1 200 OK"

            # What has come of their answers takes a moment to make.
            await eventually(is_answered)


async def test_requests_that_are_being_answered_keep_their_connections() -> None:
    async with listening(2, 60) as port:
        slow = [asyncio.create_task(answer(port, WHOLE.replace(b" / ", b" /slow "))) for _ in "ab"]
        await asyncio.sleep(0.3)

        assert await answer(port) == b""
        assert [await each for each in slow] == [b"HTTP/1.1 200 OK"] * 2
