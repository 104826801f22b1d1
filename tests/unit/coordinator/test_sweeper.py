"""The sweeper on stores in memory: what it wakes others for."""

import asyncio

from services.coordinator.sweeper import Sweeper
from shared.messaging.notifier import Notifier, Waiter
from tests.support.coordinator.coordinator import requested
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator, MemoryDatabase
from tests.support.messaging.messages import message_of


def build(world: InMemoryCoordinator) -> tuple[Sweeper, Waiter]:
    """A sweeper, and one that waits beside it, as the relay does."""
    notifier = Notifier()
    waiter = notifier.add_waiter()
    sweeper = Sweeper(
        MemoryDatabase(),  # type: ignore[arg-type]  # transactions are all that is used of it
        notifier,
        world.store,
        world.lifecycle,
        world.agent_queue,
        world.clock,
    )
    return sweeper, waiter


async def was_notified(waiter: Waiter) -> bool:
    """Whether the wait ends at once."""
    waiting = asyncio.create_task(waiter.wait(60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    return done


async def test_a_sweep_that_finds_nothing_wakes_nobody() -> None:
    """Relay and workers would look into the database every few seconds for ever."""
    sweeper, waiter = build(InMemoryCoordinator())

    await sweeper.sweep()

    assert not await was_notified(waiter)


async def test_a_sweep_that_ends_an_overdue_job_wakes_the_relay() -> None:
    world = InMemoryCoordinator()
    # Its agent is not configured: it waits for that, but not for ever.
    await world.requests.request_training(None, message_of(requested()))
    world.clock.move(10 * 24 * 3600)
    sweeper, waiter = build(world)

    await sweeper.sweep()

    assert await was_notified(waiter)
