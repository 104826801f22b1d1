"""The fast path: which corrections an update takes, when it begins, and what it leaves alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archon_contracts.commands import EvaluateModel, PrepareDataset, TrainModel
from archon_contracts.events import (
    FeedbackReturned,
    JobRejected,
    JobState,
    ModelRolledBack,
    QualityReport,
    RetrainTriggered,
    WorkerReported,
)
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import AgentKind, FastPathPolicy, LearningPolicy, ModelRef
from services.coordinator.domain import WindowOutcome
from services.coordinator.feedback.records import RetractionRow
from services.coordinator.feedback.stats import FeedbackStats, StoredFeedback
from services.coordinator.retraining.fast_path import (
    Correction,
    backoff_until,
    choose,
    has_fast_path,
    read_correction,
)
from services.coordinator.retraining.withdrawals import can_subtract
from tests.support.coordinator.coordinator import (
    AGENT,
    CLASSIFIER,
    artifact,
    configure,
    feedback,
)
from tests.support.coordinator.updated_agent import KEY, Updated
from tests.support.messaging.messages import NOON, message_of

STATS = FeedbackStats(tenant_id="default", agent_id=AGENT)


def corrections(*raters: str) -> list[Correction]:
    """Newest first."""
    return [
        Correction(derived_id("correction", n), rater, NOON - timedelta(seconds=n))
        for n, rater in enumerate(raters)
    ]


def test_an_update_takes_the_newest_corrections_oldest_first() -> None:
    given = corrections("a", "b", "c")

    choice = choose(given, {}, FastPathPolicy(maximum_items=2))

    assert choice.taken == (given[1], given[0])
    assert choice.waiting == 1


def test_one_rater_gives_no_more_than_the_limit_of_the_period_in_many_updates() -> None:
    policy = FastPathPolicy(rater_items=3)

    first = choose(corrections(*["attacker"] * 2), {}, policy)
    second = choose(corrections(*["attacker"] * 5, "honest"), {"attacker": 2}, policy)

    assert len(first.taken) == 2
    assert [each.rater for each in second.taken] == ["honest", "attacker"]
    assert second.waiting == 0


def test_invented_raters_do_not_exceed_the_limit_of_the_agent() -> None:
    raters = [f"invented-{n}" for n in range(50)]

    choice = choose(corrections(*raters), {"known": 5}, FastPathPolicy(agent_items=12))

    assert len(choice.taken) == 7


@pytest.mark.parametrize("refused", [0, 1, 2, 3, 30])
def test_each_refused_update_doubles_the_backoff_up_to_its_maximum(refused: int) -> None:
    policy = FastPathPolicy(backoff_seconds=10, maximum_backoff_seconds=35)
    stats = replace(STATS, refused_updates=refused, last_refused_update_at=NOON)

    seconds = (backoff_until(stats, policy, NOON) - NOON).total_seconds()

    assert seconds == {0: 0, 1: 10, 2: 20}.get(refused, 35)


@pytest.mark.parametrize(
    "other",
    [
        {"kind": AgentKind.GENERATOR},
        {"evaluation_suite": None},
        {"fast_path": FastPathPolicy(enabled=False)},
        {"trigger_enabled": False},
    ],
)
def test_agents_without_one_have_no_fast_path(other: dict[str, Any]) -> None:
    assert has_fast_path(configure(**CLASSIFIER).profile)
    assert not has_fast_path(configure(**(CLASSIFIER | other)).profile)


def test_a_selector_has_a_fast_path_and_its_items_can_be_subtracted() -> None:
    profile = configure(**(CLASSIFIER | {"kind": AgentKind.SELECTOR})).profile

    assert has_fast_path(profile)
    assert can_subtract(profile)


def test_a_rating_is_no_correction_and_an_api_key_is_a_rater() -> None:
    rated = feedback("i", expected=None, rating=1.0).to_bytes()
    corrected = feedback("i").to_bytes()

    assert read_correction(stored(rated), None) is None
    found = read_correction(stored(corrected), None)

    assert found is not None
    assert found.rater == "key:agent/picker"


def test_a_unit_is_a_rater_as_its_key_names_it() -> None:
    body = feedback("i", unit_id="ann").to_bytes()

    raters = [read_correction(stored(body, key), None) for key in ("key:1", "key:2")]

    assert len({each.rater for each in raters if each}) == 2


def stored(body: bytes, submitted_by: str = "agent/picker") -> StoredFeedback:
    return StoredFeedback(new_id(), "user", None, NOON, body, submitted_by)


async def test_one_correction_begins_an_update_that_needs_no_plan_and_no_slot() -> None:
    agent = await Updated().start()

    await agent.correct("one")
    (job,) = agent.world.store.jobs.values()
    assert (job.state, job.is_update) == (JobState.PREPARING, True)
    await agent.prepare()

    (job,) = agent.world.store.jobs.values()
    assert (job.state, job.attempt) == (JobState.TRAINING, 1)
    (prepare,) = agent.world.outbox.of(PrepareDataset)
    (train,) = agent.world.outbox.of(TrainModel)
    assert (prepare.fast_path, prepare.trust.contradicted_weight) == (True, 0.0)
    assert (train.fast_path, train.warm_start is None) == (True, False)


async def test_an_update_is_evaluated_by_its_own_items() -> None:
    agent = await Updated().start()
    await agent.correct("one")
    await agent.prepare()
    await agent.world.jobs.record_candidate(None, message_of(agent.replies.trained()))

    (evaluate,) = agent.world.outbox.of(EvaluateModel)

    assert evaluate.update is not None
    assert evaluate.items == CLASSIFIER["evaluation_suite"]


async def test_a_period_whose_limit_is_reached_reads_no_feedback() -> None:
    agent = await Updated(fast_path=FastPathPolicy(agent_items=1)).start()
    await agent.correct("one")
    await agent.finish(passed=True)
    agent.world.feedback.open_corrections = refuse_to_read  # type: ignore[method-assign]  # counts

    await agent.correct("two")

    stats = await agent.world.feedback.lock_stats(None, KEY)
    assert stats is not None
    assert (stats.corrections, len(agent.world.store.jobs)) == (0, 1)


async def refuse_to_read(*_: Any, **__: Any) -> list[tuple[StoredFeedback, str | None]]:
    raise AssertionError("feedback is read though nothing of it may be taken")


async def test_the_items_of_an_update_stay_new_data_of_the_next_window() -> None:
    agent = await Updated().start()
    await agent.correct("one")
    await agent.finish(passed=True)

    stats = await agent.world.feedback.lock_stats(None, KEY)
    assert stats is not None
    assert (stats.unused, stats.busy, stats.corrections) == (1, False, 0)
    await agent.correct(*[f"later-{n}" for n in range(9)])
    window, update = agent.world.outbox.of(RetrainTriggered)[::-1][:2]

    assert (window.fast_path, window.feedback_count) == (False, 10)
    assert (update.fast_path, update.feedback_count) == (True, 1)


async def test_corrections_that_come_during_an_update_are_the_next_one() -> None:
    agent = await Updated().start()
    await agent.correct("one")
    await agent.correct("two")
    await agent.correct("three")

    await agent.finish(passed=True)

    counts = [each.feedback_count for each in agent.world.outbox.of(RetrainTriggered)]
    assert counts == [1, 2]


async def test_a_refused_update_is_waited_after_and_delays_no_window() -> None:
    agent = await Updated().start()
    await agent.correct("one")
    await agent.finish(passed=False)

    await agent.correct("two")

    stats = await agent.world.feedback.lock_stats(None, KEY)
    assert stats is not None
    assert (stats.refused_updates, stats.unsuccessful_runs) == (1, 0)
    assert stats.check_at == NOON + timedelta(seconds=10)
    assert len(agent.world.store.jobs) == 1
    await agent.correct(*[f"later-{n}" for n in range(8)])
    assert len(agent.world.store.jobs) == 2


async def test_what_was_retracted_is_not_learnt_and_is_erased_elsewhere() -> None:
    agent = await Updated().start()
    await agent.correct("one")
    retraction = RetractionRow(KEY, new_id(), "one", "user", "", "one")

    result = await agent.world.feedback.retract(None, [retraction], NOON)
    await agent.world.do_work()

    (job,) = agent.world.store.jobs.values()
    assert job.state is JobState.FAILED
    assert len(result.claimed_ids) == 1


async def update_then_window(
    *later: str, quality: QualityReport | None = None, **fields: Any
) -> Updated:
    """Two corrections that a deployed update learnt, `later` ones refused, and all in a window."""
    agent = await Updated(trigger_maximum_age_seconds=60, **fields).start()
    await agent.correct("one", "two")
    await agent.finish(passed=True, quality=quality)
    if later:
        await agent.correct(*later)
        await agent.finish(passed=False)
    agent.world.clock.move(60)
    stats = await agent.world.feedback.lock_stats(None, KEY)
    assert stats is not None
    await agent.world.agent_queue.evaluate_trigger(None, stats)
    return agent


async def refuse_window(agent: Updated) -> None:
    await agent.world.jobs.record_plan(None, message_of(agent.replies.plan()))
    report = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0)
    await agent.world.jobs.record_worker_report(None, message_of(report))
    await agent.finish(passed=False)


async def window_end(agent: Updated) -> tuple[WindowOutcome, int, int]:
    """How the only window ended, its agent's unused feedback and unsuccessful runs."""
    stats = await agent.world.feedback.lock_stats(None, KEY)
    assert stats is not None
    ((outcome, _),) = agent.world.feedback.outcomes.values()
    return outcome, stats.unused, stats.unsuccessful_runs


async def test_a_window_that_a_deployed_update_learnt_is_learnt_and_delays_nobody() -> None:
    agent = await update_then_window()

    await refuse_window(agent)

    assert await window_end(agent) == (WindowOutcome.LEARNT, 0, 0)
    assert agent.world.outbox.of(FeedbackReturned) == []
    said = "deployed updates of the fast path had learnt all 2 items already"
    ((_, reason),) = agent.world.feedback.outcomes.values()
    assert said in reason
    assert said in agent.world.outbox.of(JobRejected)[-1].reason


async def test_a_window_that_is_learnt_in_part_gives_back_the_rest_alone() -> None:
    agent = await update_then_window("late")

    await refuse_window(agent)

    assert await window_end(agent) == (WindowOutcome.RETURNED, 1, 1)
    (returned,) = agent.world.outbox.of(FeedbackReturned)
    assert (returned.returned, returned.unlearnt) == (1, 0)
    assert "had learnt 2 of its items already" in agent.world.outbox.of(JobRejected)[-1].reason


async def test_only_the_rest_of_a_window_is_listed_as_never_learnt() -> None:
    agent = await update_then_window("late", learning=LearningPolicy(maximum_returns=0))
    late = next(
        each for each in agent.world.feedback.rows.values() if each.row.interaction_id == "late"
    )

    await refuse_window(agent)

    assert await window_end(agent) == (WindowOutcome.UNLEARNT, 0, 1)
    (listed,) = agent.world.outbox.of(FeedbackReturned)
    assert listed.unlearnt_ids == (late.row.event_id,)


async def test_what_an_update_learnt_is_new_data_again_once_it_is_rolled_back() -> None:
    agent = await update_then_window()
    rollback = ModelRolledBack(
        revision=1,
        actor="somebody",
        agent_id=AGENT,
        model=ModelRef(version="0.9.0", artifact=artifact("an earlier model")),
        from_version="1.0.0",
        reason="worse",
        rolled_back_at=agent.world.clock.now(),
    )
    await agent.world.agents.record_rollback(None, message_of(rollback))

    await refuse_window(agent)

    assert await window_end(agent) == (WindowOutcome.RETURNED, 2, 1)


@pytest.mark.parametrize("kept_out", ["unusable", "conflicting", "held_out", "quarantined"])
async def test_an_update_that_kept_an_item_out_counts_for_none_of_its_items(kept_out: str) -> None:
    quality = QualityReport(received=2, kept=1, **{kept_out: 1})
    agent = await update_then_window(quality=quality)

    await refuse_window(agent)

    assert await window_end(agent) == (WindowOutcome.RETURNED, 2, 1)


async def test_a_duplicate_in_an_update_is_learnt_with_the_item_it_equals() -> None:
    agent = await update_then_window(quality=QualityReport(received=2, kept=1, duplicates=1))

    await refuse_window(agent)

    assert await window_end(agent) == (WindowOutcome.LEARNT, 0, 0)
