"""How much a worker says it can take."""

import asyncio

from services.trainer.capacity import Capacity


def test_a_taken_slot_is_busy_until_its_run_ends() -> None:
    capacity = Capacity("w", slots=2, devices=("cpu",))

    with capacity.reserve_slot():
        during = capacity.report()
    after = capacity.report()

    assert (during.slots, during.busy, after.busy) == (2, 1, 0)
    assert during.memory_mb > 0


async def test_a_change_wakes_the_reporter_at_once() -> None:
    capacity = Capacity("w", slots=1, devices=())
    waiting = asyncio.create_task(capacity.changed.wait(60))
    await asyncio.sleep(0)

    with capacity.reserve_slot():
        await asyncio.wait_for(waiting, 5)


def test_a_failed_run_gives_its_slot_back() -> None:
    capacity = Capacity("w", slots=1, devices=())
    try:
        with capacity.reserve_slot():
            raise RuntimeError("out of memory")
    except RuntimeError:
        assert capacity.report().busy == 0
