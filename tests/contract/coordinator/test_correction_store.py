"""The feedback of the fast path: the same behaviour, in memory and on PostgreSQL."""

from datetime import timedelta

from services.coordinator.feedback.stats import RetractionResult
from tests.support.coordinator.stores import (
    KEY,
    UPDATE,
    Stores,
    claim_correction,
    retraction,
    row,
)
from tests.support.messaging.messages import NOON


async def test_wrong_answers_are_open_corrections_newest_first(stores: Stores) -> None:
    await stores.insert(row(1), row(2, correct=True), row(3), row(4, correct=None))

    found = await stores.call("open_corrections", KEY, most=10)
    (newest,) = await stores.call("open_corrections", KEY, most=1)

    assert [stored.event_id.int for stored, _ in found] == [3, 1]
    assert newest[0].event_id.int == 3
    assert newest[1] == row(3).traceparent
    assert (await stores.stats()).corrections == 2


async def test_an_update_borrows_a_correction_and_the_window_has_it_too(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    await claim_correction(stores, 1)

    open_ones = await stores.call("open_corrections", KEY, most=10)
    stats = await stores.stats()
    _, claim = await stores.claim()

    assert [stored.event_id.int for stored, _ in open_ones] == [2]
    assert (stats.unused, claim.feedback_count) == (2, 2)
    learnt = await stores.call("update_feedback", UPDATE)
    assert [stored.event_id.int for stored in learnt] == [1]


async def test_what_a_window_has_is_no_open_correction(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    await stores.claim(1)

    found = await stores.call("open_corrections", KEY, most=10)

    assert [stored.event_id.int for stored, _ in found] == [2]


async def test_items_of_raters_are_counted_since_a_moment(stores: Stores) -> None:
    await stores.insert(row(1), row(2), row(3))
    await claim_correction(stores, 1)
    await claim_correction(stores, 2)
    await claim_correction(stores, 3, "u2")

    earlier, later = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)

    assert await stores.call("items_of_raters", KEY, earlier) == {"u1": 2, "u2": 1}
    assert await stores.call("items_of_raters", KEY, later) == {}


async def test_a_retracted_correction_is_erased_everywhere(stores: Stores) -> None:
    await stores.insert(row(1))
    await claim_correction(stores, 1)

    result: RetractionResult = await stores.call("retract", [retraction(1, 9)], NOON)

    assert [each.int for each in result.claimed_ids] == [1]
    assert result.stats is not None
    assert result.stats.unused == 0
    assert await stores.call("update_feedback", UPDATE) == []


async def test_updates_and_refusals_are_counted(stores: Stores) -> None:
    await stores.call("record_update", KEY, sequence=4, corrections=2)
    await stores.call("count_refused_update", KEY, NOON)
    await stores.call("count_refused_update", KEY, NOON)
    refused = await stores.stats()
    await stores.call("reset_refused_updates", KEY)
    reset = await stores.stats()

    assert (refused.updates, refused.corrections, refused.refused_updates) == (4, 2, 2)
    assert refused.last_refused_update_at == NOON
    assert (reset.refused_updates, reset.last_refused_update_at) == (0, None)
