"""The fast path: which corrections an update takes, when it begins, and what it leaves alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archon_contracts.commands import EvaluateModel, PrepareDataset, TrainModel
from archon_contracts.events import JobState, RetrainTriggered
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import AgentKind, FastPathPolicy, ModelRef
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.records import FeedbackRow, RetractionRow
from services.coordinator.feedback.stats import FeedbackStats, StoredFeedback
from services.coordinator.retraining.fast_path import (
    Correction,
    backoff_until,
    choose,
    has_fast_path,
    read_correction,
)
from tests.support.coordinator.coordinator import (
    AGENT,
    CLASSIFIER,
    JobReplies,
    artifact,
    configure,
    feedback,
)
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import NOON, message_of

KEY = AgentKey("default", AGENT)
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
        {"kind": AgentKind.SELECTOR},
        {"evaluation_suite": None},
        {"fast_path": FastPathPolicy(enabled=False)},
        {"trigger_enabled": False},
    ],
)
def test_agents_without_one_have_no_fast_path(other: dict[str, Any]) -> None:
    assert has_fast_path(configure(**CLASSIFIER).profile)
    assert not has_fast_path(configure(**(CLASSIFIER | other)).profile)


def test_a_rating_is_no_correction_and_an_api_key_is_a_rater() -> None:
    rated = feedback("i", expected=None, rating=1.0).to_bytes()
    corrected = feedback("i").to_bytes()

    assert read_correction(stored(rated), None) is None
    found = read_correction(stored(corrected), None)

    assert found is not None
    assert found.rater == "key:agent/picker"


def stored(body: bytes) -> StoredFeedback:
    return StoredFeedback(new_id(), "user", None, NOON, body, "agent/picker")


class Updated:
    """A classifier with a deployed version, whose policy wants windows of many."""

    def __init__(self, **fields: Any) -> None:
        self.world = InMemoryCoordinator()
        self.command = configure(trigger_minimum_feedback=10, **(CLASSIFIER | fields))

    async def start(self) -> "Updated":
        await self.world.agents.configure_agent(None, message_of(self.command))
        earlier = ModelRef(version="0.9.0", artifact=artifact("an earlier model"))
        deployed = JobReplies(new_id()).deployed().model_copy(update={"model": earlier})
        await self.world.jobs.record_deployment(None, message_of(deployed))
        return self

    async def correct(self, *names: str) -> None:
        rows = [
            FeedbackRow(
                KEY, new_id(), name, "user", None, False, None, feedback(name).to_bytes(), name
            )
            for name in names
        ]
        result = await self.world.feedback.insert_feedback(None, rows, {}, self.world.clock.now())
        for stats in result.stats:
            await self.world.agent_queue.evaluate_trigger(None, stats)

    @property
    def replies(self) -> JobReplies:
        return JobReplies(list(self.world.store.jobs.values())[-1].job_id)

    async def prepare(self) -> None:
        await self.world.do_work()
        await self.world.jobs.record_dataset(None, message_of(self.replies.dataset(1)))

    async def finish(self, *, passed: bool) -> None:
        """Lead the newest update to its end."""
        jobs, replies = self.world.jobs, self.replies
        await self.prepare()
        await jobs.record_candidate(None, message_of(replies.trained()))
        await jobs.record_evaluation(None, message_of(replies.evaluated(passed=passed)))
        if passed:
            await jobs.record_registration(None, message_of(replies.registered()))
            deployed = replies.deployed().model_copy(update={"deployed_at": self.world.clock.now()})
            await jobs.record_deployment(None, message_of(deployed))


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

    result = await agent.world.feedback.retract(None, retraction, NOON)
    await agent.world.do_work()

    (job,) = agent.world.store.jobs.values()
    assert job.state is JobState.FAILED
    assert len(result.claimed_ids) == 1
