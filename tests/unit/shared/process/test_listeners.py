"""HTTP servers inside a service's event loop."""

import asyncio

import pytest

from shared.process import listeners
from shared.process.listeners import Listener, _server


async def test_an_idle_server_does_not_look_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn looks ten times a second, in every process."""
    monkeypatch.setattr(listeners, "DATE_SECONDS", 60.0)
    server = _server(Listener(None, "127.0.0.1", 0, "ARCHON_HEALTH_PORT"))
    ticks = list[int]()
    tick = server.on_tick

    async def counted(counter: int) -> bool:
        ticks.append(counter)
        return await tick(counter)

    monkeypatch.setattr(server, "on_tick", counted)
    serving = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0)

    server.end()

    async with asyncio.timeout(5):
        await serving
    assert ticks == [0, 0]
