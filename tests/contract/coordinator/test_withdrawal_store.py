"""Retracted feedback that versions may hold: the same behaviour, in memory and on PostgreSQL."""

from datetime import datetime, timedelta
from uuid import UUID

from archon_contracts.events import JobState, TriggerReason
from archon_contracts.metric_names import CLOSED_FORM, FINE_TUNED_CHOSEN
from archon_contracts.values import AgentKind, ModelRef
from services.coordinator.domain import (
    CandidateFacts,
    EvaluationFacts,
    JobFacts,
    TrainedVersion,
    WindowFacts,
    WithdrawalFacts,
)
from tests.support.coordinator.coordinator import artifact, configure
from tests.support.coordinator.stores import (
    KEY,
    UPDATE,
    Stores,
    claim_correction,
    job,
    retraction,
    row,
)
from tests.support.messaging.messages import NOON

PREPARED_AT = NOON + timedelta(minutes=5)


async def retract(stores: Stores, number: int) -> None:
    await stores.call("retract", [retraction(number, 100 + number)], NOON)


async def test_a_retracted_item_names_the_window_and_the_update_that_had_it(
    stores: Stores,
) -> None:
    await stores.insert(row(1), row(2), row(3))
    await claim_correction(stores, 1)
    window, _ = await stores.claim(2)

    for number in (1, 2, 3):
        await retract(stores, number)
    found = await stores.call("withdrawn_items", KEY, most=10)

    # Nobody had the third one, so no version can hold it.
    holders = {item.event_id.int: item.holders for item in found}
    assert holders == {1: {UPDATE, window.window_id}, 2: {window.window_id}}
    assert {item.withdrawn_at for item in found} == {NOON}
    assert (await stores.stats()).withdrawals == 2


async def test_a_window_that_gave_an_item_back_is_still_named(stores: Stores) -> None:
    await stores.insert(row(1))
    window, _ = await stores.claim()
    await stores.call("insert_window", window, (0, 0.0), NOON)
    await stores.call("return_feedback", KEY, window.window_id, maximum_returns=3, by_hand=False)

    await retract(stores, 1)

    (item,) = await stores.call("withdrawn_items", KEY, most=10)
    assert item.holders == {window.window_id}


async def test_tries_are_counted_given_up_and_reset(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    await stores.claim()
    await retract(stores, 1)
    await retract(stores, 2)

    async def tries() -> dict[int, int]:
        found = await stores.call("withdrawn_items", KEY, most=10)
        return {item.event_id.int: item.tries for item in found}

    await stores.call("count_try", KEY, [UUID(int=1)], 4)
    assert await tries() == {1: 1, 2: 0}
    assert (await stores.stats()).updates == 4
    await stores.call("give_up_tried", KEY, 3)
    assert await tries() == {1: 3, 2: 0}
    await stores.call("reset_tries", KEY)
    assert await tries() == {1: 0, 2: 0}


async def test_withdrawals_wait_until_more_is_retracted_or_a_version_deployed(
    stores: Stores,
) -> None:
    await stores.insert(row(1), row(2))
    await stores.claim()
    await retract(stores, 1)

    async def delayed() -> datetime | None:
        await stores.call("delay_withdrawals", KEY, NOON)
        return (await stores.stats()).withdrawals_wait_until

    assert await delayed() == NOON
    await retract(stores, 2)
    assert (await stores.stats()).withdrawals_wait_until is None
    assert await delayed() == NOON
    await stores.call("mark_withdrawals", KEY)
    assert (await stores.stats()).withdrawals_wait_until is None


async def test_what_is_to_be_looked_for_is_set_and_noted(stores: Stores) -> None:
    await stores.insert(row(1))
    await stores.claim()
    await retract(stores, 1)

    await stores.call("set_withdrawals", KEY, 0)
    looked = (await stores.stats()).withdrawals
    await stores.call("mark_withdrawals", KEY)

    assert (looked, (await stores.stats()).withdrawals) == (0, 1)


async def test_versions_are_those_of_jobs_with_what_they_continue(stores: Stores) -> None:
    await stores.call("put_agent", configure(kind=AgentKind.CLASSIFIER), NOON)
    window = WindowFacts(
        window_id=UPDATE, reason=TriggerReason.COUNT, feedback_count=1, feedback_digest="d"
    )
    first, tuned = model("1.0.0"), candidate({FINE_TUNED_CHOSEN: 1.0})
    compared = EvaluationFacts(evaluation_id=UUID(int=5), compared_with="1.0.0")
    await keep(stores, 1, JobFacts(model=first, candidate=candidate({})))
    await keep(stores, 2, JobFacts(warm_start=first, model=model("1.0.1"), window=window))
    await keep(stores, 3, JobFacts(model=model("1.1.0"), candidate=tuned, evaluation=compared))
    left_out = WithdrawalFacts(items=1, subtracted=False)
    await keep(stores, 5, JobFacts(model=model("2.0.0"), candidate=tuned, withdrawal=left_out))
    await keep(stores, 4, JobFacts(candidate=tuned))  # no version came of it

    found = await stores.call("trained_versions", KEY)

    assert sorted(found, key=lambda each: str(each.version)) == [
        TrainedVersion("1.0.0", None, None, True, True, PREPARED_AT),
        TrainedVersion("1.0.1", "1.0.0", UPDATE, False, True, PREPARED_AT),
        TrainedVersion("1.1.0", "1.0.0", None, True, False, PREPARED_AT),
        TrainedVersion("2.0.0", None, None, True, False, PREPARED_AT, is_withdrawal=True),
    ]


async def test_a_selectors_version_is_a_closed_form_where_its_training_said_so(
    stores: Stores,
) -> None:
    await stores.call("put_agent", configure(), NOON)
    for number, metrics in enumerate(({}, {CLOSED_FORM: 0.0}, {CLOSED_FORM: 1.0}), start=1):
        facts = JobFacts(model=model(f"1.0.{number}"), candidate=candidate(metrics))
        await keep(stores, number, facts)

    found = await stores.call("trained_versions", KEY)

    assert {each.version for each in found if each.is_closed_form} == {"1.0.3"}


def model(version: str) -> ModelRef:
    return ModelRef(version=version, artifact=artifact(version))


def candidate(metrics: dict[str, float]) -> CandidateFacts:
    return CandidateFacts(artifact=artifact("candidate"), steps=1, metrics=metrics)


async def keep(stores: Stores, number: int, facts: JobFacts) -> None:
    """A job with these facts, whose dataset was commanded twice."""
    for version, at in ((1, NOON), (2, PREPARED_AT)):
        kept = job(number, state=JobState.PREPARING, facts=facts, version=version, state_since=at)
        if version == 1:
            await stores.call("insert_job", kept)
        else:
            await stores.call("update_job", kept, known_version=1)
        await stores.call("insert_transition", kept, from_state=None, event=None, reason="")
    ended = job(number, state=JobState.COMPLETED, facts=facts, version=3)
    await stores.call("update_job", ended, known_version=2)
