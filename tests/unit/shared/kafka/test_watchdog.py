"""A process whose event loop is blocked is ended; a turning one is left alone."""

import asyncio
import time

import pytest

from shared.kafka import watchdog as module
from shared.kafka.watchdog import EXIT_STUCK, EventLoopWatchdog


@pytest.fixture(autouse=True)
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(module, "BLOCKED_LOOP_SECONDS", 0.2)


async def test_a_blocked_loop_ends_the_process() -> None:
    seen: list[int] = []
    async with EventLoopWatchdog(end=seen.append):
        time.sleep(0.5)  # noqa: ASYNC251  the blocked loop is what is tested
    assert seen == [EXIT_STUCK]


async def test_a_turning_loop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCKED_LOOP_SECONDS", 1.0)
    seen: list[int] = []
    async with EventLoopWatchdog(end=seen.append):
        await asyncio.sleep(1.5)
    assert seen == []


async def test_nobody_watches_the_loop_after_the_end() -> None:
    seen: list[int] = []
    async with EventLoopWatchdog(end=seen.append):
        pass
    time.sleep(0.5)  # noqa: ASYNC251  the blocked loop is what is tested
    assert seen == []
