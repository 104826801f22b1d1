"""Requests over plain sockets: a client library would take more of a core than the server."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class RequestLoad:
    """What so many connections were answered; `waits` [s] are of single requests."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers in a second."""
        return len(self.waits) / self.seconds


async def post_all(
    url: str, bodies: Sequence[bytes], *, connections: int, key: str = ""
) -> RequestLoad:
    """Send each body once, `connections` at a time; each must be answered 202.

    Raises:
        RuntimeError: one was answered otherwise; its answer is in the text.
    """
    place = urlsplit(url)
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {key}\r\nContent-Length: "
    ).encode()
    requests = iter([head + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies])
    load = RequestLoad()

    async def send() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            for request in requests:
                began = time.perf_counter()
                writer.write(request)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                content = await reader.readexactly(length)
                load.waits.append(time.perf_counter() - began)
                if not answer.startswith(b"HTTP/1.1 202"):
                    raise RuntimeError((answer + content).decode())
        finally:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(connections)))
    load.seconds = time.perf_counter() - began
    return load
