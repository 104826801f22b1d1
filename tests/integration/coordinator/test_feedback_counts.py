"""FeedbackCounted on a real database: each stored event is counted once, whatever comes again."""

from collections import Counter
from unittest.mock import AsyncMock

import pytest

from archon_contracts.events import FeedbackCounted, InteractionLogged
from shared.errors import DatabaseUnavailable
from tests.support.coordinator.coordinator import (
    AGENT,
    World,
    configure,
    feedback,
    record_of,
    retracted,
)

QUIET = {"trigger_minimum_feedback": 10_000}


async def totals(world: World) -> Counter[str]:
    """The sums of all counts that were published, with what was still to be."""
    await world.components.count_publisher.publish()
    found: Counter[str] = Counter()
    for event in await world.published(FeedbackCounted):
        for counts in event.counts:
            for name in ("feedback", "interactions", "retracted", "duplicates", "rated"):
                found[name] += getattr(counts, name)
    return found


async def test_redelivered_batches_are_counted_once_also_when_they_hold_more(world: World) -> None:
    await world.deliver(configure(**QUIET))
    records = [record_of(feedback(f"i{n}", rating=3)) for n in range(5)]

    await world.consume(records[:3])
    await world.consume(records)
    await world.consume([*records, records[0]])

    found = await totals(world)
    assert (found["feedback"], found["rated"], found["duplicates"]) == (5, 5, 9)
    assert found["feedback"] == await world.value("SELECT count(*) FROM feedback")


async def test_interactions_and_retractions_are_counted_once(world: World) -> None:
    await world.deliver(configure(**QUIET))
    logged = InteractionLogged(agent_id=AGENT, interaction_id="i1", input="?", latency_seconds=0.1)
    records = [record_of(logged), record_of(feedback("i2")), record_of(retracted("i2"))]

    await world.consume(records)
    await world.consume(records)

    found = await totals(world)
    assert (found["interactions"], found["feedback"], found["retracted"]) == (1, 1, 1)
    assert found["duplicates"] == 3


async def test_many_batches_give_one_event_per_agent(world: World) -> None:
    """A message per agent and batch cost more than the storing of the feedback."""
    for name in ("a", "b"):
        await world.deliver(configure(name, **QUIET))

    for batch in range(3):
        records = [record_of(feedback(f"i{batch}-{n}", "ab"[n % 2])) for n in range(10)]
        await world.consume(records)
    await world.components.count_publisher.publish()

    events = await world.published(FeedbackCounted)
    assert sorted(event.agent_id for event in events) == ["a", "b"]
    assert {sum(counts.feedback for counts in event.counts) for event in events} == {15}


async def test_counts_are_published_once(world: World) -> None:
    await world.deliver(configure(**QUIET))
    await world.consume([record_of(feedback("i1"))])

    for _ in range(2):
        await world.components.count_publisher.publish()

    (event,) = await world.published(FeedbackCounted)
    assert event.counts[0].feedback == 1


async def test_counts_whose_publication_fails_are_published_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deliver(configure(**QUIET))
    await world.consume([record_of(feedback("i1"))])

    with monkeypatch.context() as broken:
        refuse = AsyncMock(side_effect=DatabaseUnavailable("gone"))
        broken.setattr(world.shared.outbox, "append_all", refuse)
        with pytest.raises(DatabaseUnavailable):
            await world.components.count_publisher.publish()

    assert (await totals(world))["feedback"] == 1


async def test_readers_see_what_is_unused_also_after_a_window_and_a_retraction(
    world: World,
) -> None:
    await world.deliver(configure(trigger_minimum_feedback=3))

    async def unused() -> int | None:
        await world.components.count_publisher.publish()
        return max(await world.published(FeedbackCounted), key=lambda e: e.unused_at).unused

    await world.consume([record_of(feedback(f"i{n}")) for n in range(2)])
    after_two = await unused()
    await world.consume([record_of(retracted("i0"))])
    after_a_retraction = await unused()
    await world.consume([record_of(feedback(f"j{n}")) for n in range(2)])
    after_the_window = await unused()

    assert await world.value("SELECT count(*) FROM windows") == 1
    assert (after_two, after_a_retraction, after_the_window) == (2, 1, 0)
