"""Whether a server answers, asked in the cheapest reliable way."""

import asyncio

import httpx

from deploy.local.processes.tcp_ports import LOOPBACK

PROBE_TIMEOUT_SECONDS = 2.0


async def accepts_connections(port: int) -> bool:
    """Return whether something accepts a TCP connection on `port`."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


async def answers_ready(port: int) -> bool:
    """Return whether `GET /health/ready` on `port` is answered with 200."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            return b" 200 " in await _status_line(port, "/health/ready")
    except OSError:
        return False


async def _status_line(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()


def problems_of(port: int) -> dict[str, str]:
    """What `GET /health/ready` names as wrong; nothing of what is no service or does not answer."""
    try:
        answer = httpx.get(f"http://{LOOPBACK}:{port}/health/ready", timeout=PROBE_TIMEOUT_SECONDS)
        problems: dict[str, str] = answer.json()["problems"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}
    return problems
