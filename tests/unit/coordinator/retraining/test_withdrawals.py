"""Withdrawals: what versions hold of retracted feedback, and the jobs that take it out."""

from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.commands import EvaluateModel, PrepareDataset, RegisterModel, TrainModel
from archon_contracts.events import (
    FeedbackWithdrawn,
    JobState,
    ModelRolledBack,
    QualityReport,
    TrainingFailed,
)
from archon_contracts.metric_names import FINE_TUNED_CHOSEN
from archon_contracts.values import ModelRef, RetentionStrategy
from services.coordinator.domain import TrainedVersion, WithdrawnItem
from services.coordinator.retraining.withdrawals import (
    MAX_TRIES,
    TRAINING_PAUSE,
    HeldItems,
    trace_held_items,
)
from tests.support.coordinator.coordinator import CLASSIFIER, artifact, configure
from tests.support.coordinator.updated_agent import KEY, Updated
from tests.support.messaging.messages import NOON, message_of

WINDOW, UPDATE = UUID(int=1), UUID(int=2)


def version(
    name: str,
    minute: int,
    *,
    parent: str | None = None,
    holder: UUID | None = None,
    closed_form: bool = True,
    from_base: bool = False,
) -> TrainedVersion:
    prepared_at = NOON + timedelta(minutes=minute)
    return TrainedVersion(name, parent, holder, from_base, closed_form, prepared_at)


def withdrawn(minute: int, *holders: UUID, number: int = 7) -> WithdrawnItem:
    at = NOON + timedelta(minutes=minute)
    return WithdrawnItem(UUID(int=number), at, frozenset(holders))


def test_an_item_is_held_by_its_version_and_by_those_after_it_until_one_subtracts_it() -> None:
    versions = [
        version("1", 0),
        version("2", 1, parent="1", holder=UPDATE),
        version("3", 2, parent="2"),
        version("4", 4, parent="3"),
        version("5", 5, parent="1"),
    ]
    item = withdrawn(3, UPDATE)

    held = {name for name, each in trace_held_items(versions, [item]).items() if each.items}

    assert held == {"2", "3"}


def test_what_an_encoder_was_trained_on_cannot_be_subtracted_but_left_out_of_a_new_one() -> None:
    versions = [
        version("1", 0),
        version("2", 1, parent="1", holder=WINDOW, closed_form=False),
        version("3", 4, parent="2"),
        version("4", 5, parent="2", closed_form=False, from_base=True),
    ]
    item = withdrawn(3, WINDOW)

    held = trace_held_items(versions, [item])

    assert held["3"] == HeldItems(in_weights=frozenset({item.event_id}))
    assert held["4"] == HeldItems()


def test_fine_tuning_from_a_version_whose_sums_hold_an_item_takes_it_into_the_weights() -> None:
    versions = [
        version("1", 0, holder=WINDOW),
        version("2", 1, parent="1", closed_form=False),
    ]
    item = withdrawn(3, WINDOW)

    held = trace_held_items(versions, [item])

    assert held["1"].in_sums == held["2"].in_weights == {item.event_id}


def test_a_training_from_the_base_model_before_the_retraction_learnt_what_was_remembered() -> None:
    versions = [
        version("1", 0, holder=WINDOW),
        version("2", 1, parent="1", closed_form=False, from_base=True),
    ]

    held = trace_held_items(versions, [withdrawn(3, WINDOW)])

    assert held["2"].in_weights


@given(st.data())
def test_a_chain_of_closed_forms_holds_what_came_and_was_not_withdrawn_before(
    data: st.DataObject,
) -> None:
    """Against what the sums themselves would do, one version after the other."""
    windows = [uuid5(WINDOW, str(n)) for n in range(6)]
    chain = [
        version(str(n), 2 * n, parent=str(n - 1), holder=windows[n]) for n in range(len(windows))
    ]
    items = [
        withdrawn(data.draw(st.integers(0, 14)), data.draw(st.sampled_from(windows)), number=n)
        for n in range(data.draw(st.integers(0, 6)))
    ]

    held = trace_held_items(chain, items)

    sums: set[UUID] = set()
    for each in chain:
        sums |= {item.event_id for item in items if each.holder in item.holders}
        sums -= {item.event_id for item in items if item.withdrawn_at <= each.prepared_at}
        assert held[each.version] == HeldItems(in_sums=frozenset(sums))


async def learnt() -> Updated:
    """An agent whose deployed version has learnt one correction by an update."""
    agent = await Updated().start()
    await agent.correct("one")
    await agent.finish(passed=True)
    agent.world.clock.move(60)
    return agent


async def test_a_retraction_of_a_learnt_correction_starts_a_withdrawal_by_itself() -> None:
    agent = await learnt()

    await agent.retract("one")

    assert (agent.newest.is_withdrawal, agent.newest.is_update) == (True, True)
    prepare = agent.world.outbox.of(PrepareDataset)[-1]
    assert (prepare.withdrawal, prepare.fast_path, prepare.sources) == (True, True, ())
    event = agent.world.outbox.of(FeedbackWithdrawn)[-1]
    assert event.affected_versions == {"1.0.0": 1}
    assert (event.deployed, event.job_id) == ("1.0.0", agent.newest.job_id)


async def test_a_withdrawal_without_training_items_is_evaluated_and_deployed() -> None:
    agent = await learnt()
    await agent.retract("one")
    nothing = QualityReport(received=0, kept=0)
    no_items = agent.replies.dataset(0).model_copy(update={"quality": nothing})
    jobs, replies = agent.world.jobs, agent.replies

    await jobs.record_dataset(None, message_of(no_items))
    await jobs.record_candidate(None, message_of(replies.trained()))
    await jobs.record_evaluation(None, message_of(replies.evaluated()))
    await jobs.record_registration(None, message_of(replies.registered("1.0.1")))
    deployed = replies.deployed("1.0.1").model_copy(update={"deployed_at": agent.world.clock.now()})
    await jobs.record_deployment(None, message_of(deployed))

    assert agent.newest.state is JobState.COMPLETED
    assert len(agent.world.store.jobs) == 2
    assert agent.world.outbox.of(TrainModel)[-1].withdrawal
    assert agent.world.outbox.of(EvaluateModel)[-1].withdrawal
    assert agent.world.outbox.of(RegisterModel)[-1].lineage["withdrawn_items"] == 1
    assert agent.world.outbox.of(FeedbackWithdrawn)[-1].affected_versions == {"1.0.0": 1}


async def test_what_no_version_holds_starts_nothing() -> None:
    agent = await learnt()
    await agent.correct("two")
    await agent.finish(passed=False)
    agent.world.clock.move(60)  # a refused update delays the next look

    await agent.retract("two")

    stats = await agent.world.feedback.lock_stats(None, KEY)
    assert len(agent.world.store.jobs) == 2
    assert stats is not None
    assert stats.withdrawals == 0


async def test_what_is_retracted_during_a_job_is_withdrawn_after_it() -> None:
    agent = await learnt()
    await agent.correct("two")
    agent.world.clock.move(1)
    await agent.retract("one")
    assert not agent.newest.is_withdrawal

    await agent.finish(passed=True, version="1.0.1")

    # The job's dataset was commanded before the retraction.
    assert agent.newest.is_withdrawal
    assert agent.world.outbox.of(FeedbackWithdrawn)[-1].affected_versions == {
        "1.0.0": 1,
        "1.0.1": 1,
    }


async def test_a_failing_withdrawal_is_tried_again_with_backoff_and_not_for_ever() -> None:
    agent = await learnt()
    await agent.retract("one")
    while not agent.newest.state.is_final:
        await agent.finish(passed=False)
        assert agent.newest.state.is_final  # not at once
        agent.world.clock.move(3600)
        stats = await agent.world.feedback.lock_stats(None, KEY)
        assert stats is not None
        await agent.world.agent_queue.evaluate_trigger(None, stats)

    assert len(agent.world.store.jobs) == 1 + MAX_TRIES
    assert "may hold 1 retracted items" in agent.world.outbox.of(FeedbackWithdrawn)[-1].reason


async def test_a_refused_update_delays_no_withdrawal() -> None:
    agent = await learnt()
    await agent.correct("two")
    await agent.finish(passed=False)

    await agent.retract("one")

    assert agent.newest.is_withdrawal
    await agent.finish(passed=False)
    assert agent.newest.state.is_final  # that one is tried again after a backoff


async def test_refused_updates_do_not_lengthen_the_backoff_of_a_withdrawal() -> None:
    agent = await learnt()
    for name in ("two", "three", "four"):
        await agent.correct(name)
        await agent.finish(passed=False)
        agent.world.clock.move(3600)
    await agent.retract("one")
    await agent.finish(passed=False)
    failed = agent.newest

    agent.world.clock.move(agent.command.profile.fast_path.backoff_seconds)
    due = await agent.world.feedback.lock_due_stats(None, agent.world.clock.now())
    assert due is not None
    await agent.world.agent_queue.evaluate_trigger(None, due)

    assert failed.is_withdrawal
    assert agent.newest.is_withdrawal
    assert not agent.newest.state.is_final


async def test_a_failed_withdrawal_delays_no_correction() -> None:
    agent = await learnt()
    await agent.retract("one")
    await agent.finish(passed=False)

    await agent.correct("two")

    assert (agent.newest.is_update, agent.newest.is_withdrawal) == (True, False)


async def test_a_version_that_awaits_a_review_is_not_made_again() -> None:
    agent = await learnt()
    await agent.retract("one")
    jobs, replies = agent.world.jobs, agent.replies
    await agent.prepare()
    await jobs.record_candidate(None, message_of(replies.trained()))
    reviewed = replies.evaluated(review_reasons=("it loses 20 %",))
    await jobs.record_evaluation(None, message_of(reviewed))

    await jobs.record_registration(None, message_of(replies.registered("1.0.1")))

    assert agent.newest.state is JobState.COMPLETED
    assert len(agent.world.store.jobs) == 2


async def test_what_cannot_be_withdrawn_is_tried_again_after_a_deployment_by_hand_only() -> None:
    agent = await learnt()
    await agent.retract("one")
    await agent.prepare()
    failed = TrainingFailed(
        agent_id=KEY.agent_id,
        job_id=agent.newest.job_id,
        attempt=1,
        retryable=False,
        error_type="NothingToSubtract",
        reason="none of the items is in the sums",
    )
    await agent.world.jobs.record_training_failure(None, message_of(failed))
    agent.world.clock.move(3600)
    await agent.retract()
    tried_by_itself = len(agent.world.store.jobs) - 1

    by_hand = agent.replies.deployed("1.0.0").model_copy(
        update={"job_id": None, "deployed_at": agent.world.clock.now()}
    )
    await agent.world.jobs.record_deployment(None, message_of(by_hand))

    assert tried_by_itself == 1
    assert (agent.newest.is_withdrawal, agent.newest.state) == (True, JobState.PREPARING)


async def test_where_nothing_may_begin_by_itself_a_withdrawal_waits() -> None:
    agent = await learnt()
    disabled = configure(trigger_enabled=False, **CLASSIFIER)
    await agent.world.agents.configure_agent(None, message_of(disabled))

    await agent.retract("one")
    begun = agent.newest.is_withdrawal
    await agent.world.agents.configure_agent(None, message_of(agent.command))

    assert (begun, agent.newest.is_withdrawal) == (False, True)


@pytest.mark.parametrize("refused", [False, True])
async def test_a_rollback_to_a_version_that_holds_retracted_feedback_is_followed(
    *, refused: bool
) -> None:
    agent = await learnt()
    await agent.retract("one")
    await agent.finish(passed=True, version="1.0.1")
    if refused:
        await agent.correct("two")
        await agent.finish(passed=False)
    agent.world.clock.move(1)
    model = ModelRef(version="1.0.0", artifact=artifact("the first"))
    rolled_back = ModelRolledBack(
        revision=1,
        actor="somebody",
        agent_id=KEY.agent_id,
        model=model,
        from_version="1.0.1",
        reason="odd answers",
        rolled_back_at=agent.world.clock.now(),
    )

    await agent.world.agents.record_rollback(None, message_of(rolled_back))

    assert agent.newest.is_withdrawal
    assert not agent.newest.state.is_final


async def end_with_tuned_weights(agent: Updated, version: str, compared: str | None) -> None:
    """Lead the newest job to a deployed version whose encoder was trained too."""
    await agent.prepare()
    jobs, replies = agent.world.jobs, agent.replies
    tuned = replies.trained().model_copy(update={"metrics": {FINE_TUNED_CHOSEN: 1.0}})
    await jobs.record_candidate(None, message_of(tuned))
    evaluated = replies.evaluated().model_copy(update={"compared_with": compared})
    await jobs.record_evaluation(None, message_of(evaluated))
    await jobs.record_registration(None, message_of(replies.registered(version)))
    await jobs.record_deployment(None, message_of(replies.deployed(version)))


async def test_who_retracts_one_by_one_does_not_keep_an_agent_in_training() -> None:
    agent = await Updated().start()
    await agent.correct("one", "two")
    await end_with_tuned_weights(agent, "1.0.0", None)
    agent.world.clock.move(60)
    await agent.retract("one")
    await agent.world.jobs.record_plan(None, message_of(agent.replies.plan()))
    await end_with_tuned_weights(agent, "2.0.0", "1.0.0")
    first = agent.newest
    agent.world.clock.move(60)

    await agent.retract("two")
    waiting = agent.newest
    why = agent.world.outbox.of(FeedbackWithdrawn)[-1].reason
    await agent.correct("three")
    learnt_meanwhile = agent.newest
    await agent.finish(passed=True, version="2.0.1")
    agent.world.clock.move(TRAINING_PAUSE.total_seconds())
    due = await agent.world.feedback.lock_due_stats(None, agent.world.clock.now())
    assert due is not None
    await agent.world.agent_queue.evaluate_trigger(None, due)

    assert first.is_withdrawal
    assert waiting.job_id == first.job_id
    assert "a training from the base model without them begins at" in why
    assert learnt_meanwhile.is_update
    assert (agent.newest.is_withdrawal, agent.newest.is_update) == (True, False)


async def test_what_weights_were_trained_on_is_left_out_of_a_training_from_the_base_model() -> None:
    agent = await Updated().start()
    await agent.correct("one")
    await end_with_tuned_weights(agent, "1.0.0", "0.9.0")
    agent.world.clock.move(60)

    await agent.retract("one")
    await agent.world.jobs.record_plan(None, message_of(agent.replies.plan()))

    assert (agent.newest.is_withdrawal, agent.newest.is_update) == (True, False)
    assert agent.newest.facts.retention is RetentionStrategy.REHEARSAL
    prepare = agent.world.outbox.of(PrepareDataset)[-1]
    assert (prepare.withdrawal, prepare.rehearse, prepare.fast_path) == (True, True, False)
