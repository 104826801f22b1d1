"""How windows end: the same behaviour, in memory and on PostgreSQL."""

from uuid import UUID

import pytest

from archon_contracts.events import JobState, TriggerReason
from archon_contracts.values import ModelRef
from services.coordinator.domain import DatasetFacts, Job, JobFacts, WindowFacts
from tests.support.coordinator.coordinator import artifact
from tests.support.coordinator.stores import (
    KEY,
    UNKNOWN,
    UPDATE,
    Stores,
    claim_correction,
    job,
    retraction,
    row,
)
from tests.support.messaging.messages import NOON


def version(number: int) -> ModelRef:
    """Version `0.<number>.0`."""
    return ModelRef(version=f"0.{number}.0", artifact=artifact(f"version {number}"))


def version_job(number: int, *, update: UUID | None = None, left_out: int | None = 0) -> Job:
    """A job that made a version from the one before it; with `update`, one of the fast path."""
    window = update and WindowFacts(
        window_id=update,
        reason=TriggerReason.COUNT,
        feedback_count=1,
        feedback_digest="0" * 64,
        fast_path=True,
    )
    dataset = DatasetFacts(
        dataset_id=UUID(int=number),
        version=1,
        artifact=artifact("dataset"),
        training_items=1,
        left_out=left_out,
    )
    facts = JobFacts(
        warm_start=version(number - 1), window=window, dataset=dataset, model=version(number)
    )
    return job(number, state=JobState.COMPLETED, facts=facts)


async def claim_after_update(stores: Stores, *, left_out: int | None = 0) -> UUID:
    """A window of three rows; an update that made version 2 had the first, version 3 followed."""
    await stores.insert(row(1, rating=1), row(2, rating=2), row(3, rating=3))
    await claim_correction(stores, 1)
    await stores.call("insert_job", version_job(2, update=UPDATE, left_out=left_out))
    await stores.call("insert_job", version_job(3))
    window, claim = await stores.claim()
    await stores.call("insert_window", window, (0, 0.0), NOON)
    assert claim.feedback_count == 3
    return window.window_id


@pytest.mark.parametrize(
    ("deployed", "left_out", "learnt"),
    [
        (3, 0, {1}),  # a later version goes on from the update's
        (2, 0, {1}),
        (1, 0, set()),  # rolled back
        (None, 0, set()),
        (3, 1, set()),  # which item was kept out is not known
        (3, None, set()),  # a job of before this was kept
    ],
)
async def test_learnt_is_what_an_update_among_the_deployed_versions_ancestors_had(
    stores: Stores, deployed: int | None, left_out: int | None, learnt: set[int]
) -> None:
    window_id = await claim_after_update(stores, left_out=left_out)
    if deployed is not None:
        await stores.call("set_deployed", KEY, version(deployed), NOON)

    found = await stores.call("learnt_by_updates", KEY, window_id)

    assert {each.int for each in found} == learnt
    assert await stores.call("learnt_by_updates", UNKNOWN, window_id) == frozenset()


async def test_what_was_retracted_is_not_learnt(stores: Stores) -> None:
    window_id = await claim_after_update(stores)
    await stores.call("set_deployed", KEY, version(3), NOON)

    await stores.call("retract", [retraction(1, 9)], NOON)

    assert await stores.call("learnt_by_updates", KEY, window_id) == frozenset()


@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_is_learnt_stays_in_its_window_and_is_not_listed(
    stores: Stores, by_hand: bool
) -> None:
    window_id = await claim_after_update(stores)
    learnt = frozenset({UUID(int=1)})

    before = await stores.call("unlearnt_feedback", window_id, learnt=learnt)
    returned = await stores.call(
        "return_feedback", KEY, window_id, maximum_returns=1, by_hand=by_hand, learnt=learnt
    )

    left = await stores.call("unlearnt_feedback", window_id, learnt=learnt)
    kept = await stores.call("unlearnt_feedback", window_id)
    stats = await stores.stats()
    assert (before.count, returned, left.count, kept.event_ids) == (2, 2, 0, (UUID(int=1),))
    assert (stats.unused, stats.rated, stats.rating_sum) == (2, 2, 5)


async def test_a_late_deployment_takes_back_only_what_its_version_has(stores: Stores) -> None:
    await stores.insert(row(1, rating=1), row(2, rating=2))
    window, _ = await stores.claim()
    await stores.call("insert_window", window, (0, 0.0), NOON)
    await stores.call("set_waiting", window.window_id, {UUID(int=1): "refund"})
    await stores.call(
        "return_feedback", KEY, window.window_id, maximum_returns=1, by_hand=False, learnt=()
    )
    assert await stores.call("release_waiting", KEY, ["refund"]) == 1

    taken = await stores.call("reclaim_feedback", KEY, window.window_id)

    assert taken == 1
    assert ((await stores.stats()).unused, (await stores.stats()).rating_sum) == (1, 1)


async def test_stored_feedback_is_counted_whatever_became_of_it(stores: Stores) -> None:
    await stores.insert(row(1), row(2), row(3))
    await stores.call("retract", [retraction(2, 9)], NOON)
    await stores.claim(maximum=1)

    stored = await stores.call("count_stored", KEY, {UUID(int=number) for number in (1, 2, 4)})

    assert stored == 2


async def test_a_job_that_begins_ends_the_wait_for_feedback(stores: Stores) -> None:
    await stores.call("set_check", KEY, NOON)
    await stores.call("set_awaits_feedback", KEY, awaits=True)
    waiting = await stores.stats()
    await stores.call("set_open_job", KEY, UUID(int=1))

    assert (waiting.awaits_feedback, waiting.check_at) == (True, None)
    assert not (await stores.stats()).awaits_feedback
