"""Liveness and readiness over HTTP, on a port of their own.

Alive: the event loop turns. Ready: database and broker answer, every consumer has partitions, the
relay runs, and no message has waited in the outbox for too long. A warning is shown with the
readiness and does not change it: taking a gateway out of service would not mend its pruning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

LONGEST_TICK_SECONDS = 10.0

Check = Callable[[], Awaitable[str]]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Health:
    """An ASGI application with `/health/live` and `/health/ready`."""

    name = "health"

    def __init__(self, service: str) -> None:
        self._service = service
        self._checks: dict[str, Check] = {}
        self._warnings: dict[str, Callable[[], str]] = {}
        self._last_tick = 0.0
        self.started = False

    def add(self, name: str, check: Check) -> None:
        """Add a check: it returns an empty text when all is well, else what is wrong."""
        self._checks[name] = check

    def add_warning(self, name: str, warning: Callable[[], str]) -> None:
        """Add what readiness shows beside its answer; an empty text when all is well."""
        self._warnings[name] = warning

    def warnings(self) -> dict[str, str]:
        """The warnings that are not empty."""
        return {name: text for name, warning in self._warnings.items() if (text := warning())}

    async def run(self) -> None:
        """Tick once a second: a blocked event loop is not alive."""
        while True:
            self._last_tick = asyncio.get_running_loop().time()
            await asyncio.sleep(1.0)

    async def problems(self) -> dict[str, str]:
        """The failing checks with their messages."""
        if not self.started:
            return {"start": "still starting"}
        found = {}
        for name, check in self._checks.items():
            try:
                async with asyncio.timeout(2):
                    problem = await check()
            except TimeoutError:
                problem = "no answer within 2 s"
            if problem:
                found[name] = problem
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 or 503 with JSON."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/health/live":
            late = asyncio.get_running_loop().time() - self._last_tick
            # There is no tick before the start is over, and the start has a time limit of its own.
            alive = not self.started or late < LONGEST_TICK_SECONDS
            await self._answer(send, 200 if alive else 503, {"last_tick_seconds": round(late, 1)})
        elif path == "/health/ready":
            problems = await self.problems()
            body = {"problems": problems, "warnings": self.warnings()}
            await self._answer(send, 503 if problems else 200, body)
        else:
            await self._answer(send, 404, {"title": "no such page; try /health/ready"})

    async def _answer(self, send: Send, status: int, body: dict[str, Any]) -> None:
        content = orjson.dumps({"service": self._service, **body})
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
