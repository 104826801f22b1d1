"""Repeated actions: an error of one call never ends the part that repeats it."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from shared.errors import DatabaseUnavailable, ValueRefused
from shared.process.application import Application
from shared.process.health import Health
from shared.process.periodic import LONGEST_BACKOFF_SECONDS, Periodic
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import probe_settings


def raising(*errors: Exception | None) -> Callable[[], object]:
    """An action that raises these one after the other; None stands for a call that succeeds."""
    left = list(errors)

    async def action() -> None:
        if error := left.pop(0):
            raise error

    return action


def periodic(*errors: Exception | None, every: float = 5.0) -> Periodic:
    return Periodic("sweeper", every, raising(*errors))


@pytest.mark.parametrize(
    "error", [KeyError("job"), ValueRefused("NUL"), DatabaseUnavailable("away")]
)
async def test_an_error_does_not_end_the_repetition(error: Exception) -> None:
    calls = asyncio.Queue[None]()

    async def action() -> None:
        calls.put_nowait(None)
        raise error

    task = asyncio.create_task(Periodic("sweeper", 0.001, action).run())
    async with asyncio.timeout(5):
        for _ in range(3):
            await calls.get()

    assert not task.done()
    task.cancel()


async def test_unforeseen_errors_in_a_row_double_the_wait_up_to_a_bound() -> None:
    # One error each: an exception that is raised again keeps the traceback of all times before.
    part = periodic(*(KeyError("job") for _ in range(2000)))
    waits = []
    with capture_logs():
        for _ in range(2000):
            await part.call()
            waits.append(part.wait_seconds)

    assert waits[:3] == [10.0, 20.0, 40.0]
    assert set(waits[3:]) == {LONGEST_BACKOFF_SECONDS}


async def test_an_action_that_is_rarer_than_the_bound_keeps_its_interval() -> None:
    part = periodic(KeyError("job"), every=3600.0)

    await part.call()

    assert part.wait_seconds == 3600.0


async def test_a_retryable_error_keeps_the_interval() -> None:
    part = periodic(DatabaseUnavailable("away"))

    await part.call()

    assert (part.wait_seconds, part.problem) == (5.0, "away")


async def test_a_success_ends_backoff_and_problem() -> None:
    part = periodic(KeyError("job"), None)

    await part.call()
    assert part.problem == "'job'"
    await part.call()

    assert (part.wait_seconds, part.problem) == (5.0, "")


async def test_cancelling_ends_it() -> None:
    task = asyncio.create_task(periodic(None).run())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_readiness_shows_a_warning_and_stays() -> None:
    health = Health("coordinator")
    health.started = True
    warnings = {"sweeper": "'job'", "retention": ""}
    for name, text in warnings.items():
        health.add_warning(name, lambda text=text: text)
    sent = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await health({"type": "http", "path": "/health/ready"}, None, send)

    assert sent[0]["status"] == 200
    assert b'"warnings":{"sweeper":"\'job\'"}' in sent[1]["body"]


async def test_an_application_shows_what_its_periodic_parts_last_raised() -> None:
    part = periodic(KeyError("job"))
    context = ServiceContext.build(probe_settings("postgresql://nobody@127.0.0.1:9/none"))
    Application(context, background=[part])

    await part.call()

    assert context.health.warnings() == {"sweeper": "'job'"}
