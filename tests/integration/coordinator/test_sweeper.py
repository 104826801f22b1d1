"""Jobs that nobody answers for."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from archon_contracts.commands import CancelTraining, PlanCurriculum, TrainModel
from archon_contracts.events import AgentParked, JobFailed
from archon_contracts.values import TriggerPolicy
from services.coordinator.domain import Job
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.retraining import policies
from services.coordinator.retraining.awaited_feedback import AwaitedFeedback
from services.coordinator.retraining.triggers import TriggerDecision, decide
from services.coordinator.retraining.windows import Windows
from services.coordinator.store import JobStore
from shared.errors import PermanentError
from tests.support.coordinator.coordinator import (
    JobReplies,
    World,
    configure,
    coordinator_world,
    feedback,
    record_of,
    requested,
)

DAY = 24 * 3600.0


async def open_job(world: World) -> UUID:
    """A job in planning."""
    await world.deliver(configure(trigger_minimum_feedback=1))
    await world.consume([record_of(feedback("i1"))])
    job_id: UUID = await world.value("SELECT job_id FROM jobs")
    return job_id


async def pass_and_sweep(world: World, seconds: float) -> None:
    """Let time pass, then look."""
    world.clock.move(seconds)
    await world.components.sweeper.sweep()


async def test_an_unanswered_command_is_sent_again_and_then_fails_the_job(world: World) -> None:
    job_id = await open_job(world)

    for _ in range(3):
        await pass_and_sweep(world, 61)

    assert len(await world.published(PlanCurriculum)) == 3
    reason = (await world.last(JobFailed)).reason
    assert reason == (
        "nobody finished planning within 60 s; is its service up? (try 3 of 3); "
        "1 feedback events of its window are new data again"
    )
    assert (await world.states(job_id))[-1] == "failed"


async def test_an_answer_to_the_second_command_leads_on(world: World) -> None:
    job_id = await open_job(world)
    await pass_and_sweep(world, 61)

    await world.deliver(JobReplies(job_id).plan())

    assert (await world.states(job_id))[-1] == "preparing"


async def test_a_training_that_does_not_report_is_cancelled_and_tried_again(world: World) -> None:
    job_id = await open_job(world)
    await world.deliver(JobReplies(job_id).plan(), JobReplies(job_id).dataset())

    await pass_and_sweep(world, DAY)

    assert (await world.last(CancelTraining)).attempt == 1
    assert [command.attempt for command in await world.published(TrainModel)] == [1, 2]
    assert (await world.states(job_id))[-3:] == ["training", "queued", "training"]


async def test_a_training_that_never_reports_fails_the_job(world: World) -> None:
    job_id = await open_job(world)
    await world.deliver(JobReplies(job_id).plan(), JobReplies(job_id).dataset())

    for _ in range(3):
        await pass_and_sweep(world, DAY)

    assert "(attempt 3 of 3)" in (await world.last(JobFailed)).reason
    assert (await world.states(job_id))[-1] == "failed"


async def test_a_job_whose_agent_is_never_configured_fails_and_says_why(world: World) -> None:
    await world.deliver(requested("nobody"))

    await pass_and_sweep(world, DAY + 1)

    assert "its agent was unknown or busy" in (await world.last(JobFailed)).reason


async def test_a_job_without_a_free_slot_fails_in_the_end(world: World) -> None:
    for name in ("a", "b"):
        await world.deliver(configure(name, trigger_minimum_feedback=1))
        await world.consume([record_of(feedback("i1", name))])
        query = "SELECT job_id FROM jobs WHERE agent_id = $1"
        answers = JobReplies(await world.value(query, name), name)
        await world.deliver(answers.plan(), answers.dataset())
    await world.fetch("UPDATE jobs SET deadline_at = now() + '1 year' WHERE agent_id = 'a'")

    await pass_and_sweep(world, DAY + 1)

    assert "no training slot was free" in (await world.last(JobFailed)).reason


async def test_a_failed_job_frees_its_agent_for_the_next_window(world: World) -> None:
    await open_job(world)
    await world.consume([record_of(feedback("i2"))])

    for _ in range(3):
        await pass_and_sweep(world, 61)
    # What the failed job gave back would start the next one at once, but for the backoff.
    assert await world.value("SELECT count(*) FROM windows") == 1
    await pass_and_sweep(world, 86_400)

    assert await world.value("SELECT count(*) FROM windows") == 2


async def test_two_sweepers_settle_an_overdue_job_once(
    world: World, database_url: str, tmp_path: Path
) -> None:
    await open_job(world)
    world.clock.move(61)

    async with coordinator_world(database_url, tmp_path, clock=world.clock) as other:
        await asyncio.gather(world.components.sweeper.sweep(), other.components.sweeper.sweep())

    assert len(await world.published(PlanCurriculum)) == 2


async def test_a_job_that_cannot_go_on_is_ended_and_delays_no_other(world: World) -> None:
    job_id = await open_job(world)
    await world.deliver(JobReplies(job_id).plan())
    await world.fetch("UPDATE jobs SET facts = facts - 'plan'")
    await world.deliver(configure("other", trigger_minimum_feedback=1))
    world.clock.move(1)
    await world.consume([record_of(feedback("i1", "other"))])

    await pass_and_sweep(world, 901)

    assert (await world.last(JobFailed)).reason.startswith("the job has no plan")
    commands = await world.published(PlanCurriculum)
    assert [command.agent_id for command in commands].count("other") == 2


@pytest.mark.parametrize("error", [PermanentError("no"), OverflowError("no such date")])
async def test_an_agent_that_cannot_be_evaluated_is_parked_and_delays_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in ("bad", "good"):
        await world.deliver(configure(name, trigger_minimum_feedback=2))
        await world.consume([record_of(feedback("i1", name))])
    await world.fetch("UPDATE feedback_stats SET check_at = '2020-01-01' WHERE agent_id = 'bad'")
    await world.fetch("UPDATE feedback_stats SET check_at = '2020-01-02' WHERE agent_id = 'good'")

    def refuse_bad(stats: FeedbackStats, policy: TriggerPolicy, now: datetime) -> TriggerDecision:
        if stats.agent_id == "bad":
            raise error
        return decide(stats, policy, now)

    monkeypatch.setattr(policies, "decide", refuse_bad)
    await world.components.sweeper.sweep()

    checks = dict(await world.fetch("SELECT agent_id, check_at FROM feedback_stats"))
    until = world.clock.now() + timedelta(hours=1)
    assert checks == {"bad": until, "good": None}
    (parked,) = await world.published(AgentParked)
    assert (parked.agent_id, parked.until) == ("bad", until)
    assert parked.reason == f"{type(error).__name__}: {error}"


async def test_feedback_beside_that_of_a_parked_agent_is_stored_and_begins_a_retrain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        await world.deliver(configure(name, trigger_minimum_feedback=1))

    def fail_bad(stats: FeedbackStats, policy: TriggerPolicy, now: datetime) -> TriggerDecision:
        if stats.agent_id == "bad":
            raise OverflowError("date value out of range")
        return decide(stats, policy, now)

    monkeypatch.setattr(policies, "decide", fail_bad)
    await world.consume([record_of(feedback("i1", name)) for name in ("bad", "good")])

    unused = dict(await world.fetch("SELECT agent_id, unused FROM feedback_stats"))
    assert unused == {"bad": 1, "good": 0}
    assert await world.value("SELECT check_at FROM feedback_stats WHERE agent_id = 'bad'")


async def test_an_agent_whose_job_awaits_feedback_is_parked_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deliver(configure("bad", trigger_minimum_feedback=10))
    await world.consume([record_of(feedback("i1", "bad"))])
    await world.fetch("UPDATE feedback_stats SET awaits_feedback = true")

    async def fail(*_: object) -> None:
        raise PermanentError("no")

    monkeypatch.setattr(AwaitedFeedback, "stop_waiting", fail)
    for name in ("i2", "i3", "i4"):
        await world.consume([record_of(feedback(name, "bad"))])

    (parked,) = await world.published(AgentParked)
    assert parked.agent_id == "bad"
    assert await world.value("SELECT unused FROM feedback_stats") == 4


async def test_the_policies_of_many_agents_are_read_by_one_query(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a", "b", "c")
    for name in names:
        await world.deliver(configure(name, trigger_minimum_feedback=10))
    monkeypatch.setattr(JobStore, "find_agent", None)  # would be a query for each agent

    await world.consume([record_of(feedback("i1", name)) for name in names])
    await world.consume([record_of(feedback("i2", name)) for name in names])

    assert await world.value("SELECT sum(unused) FROM feedback_stats") == 6
    assert await world.published(AgentParked) == []


async def test_an_unreadable_profile_parks_its_agent_alone(world: World) -> None:
    for name in ("a", "bad", "good"):
        await world.deliver(configure(name, trigger_minimum_feedback=1))
    await world.fetch("UPDATE agents SET profile = '{}' WHERE agent_id = 'bad'")

    await world.consume([record_of(feedback("i1", name)) for name in ("a", "bad", "good")])

    unused = dict(await world.fetch("SELECT agent_id, unused FROM feedback_stats"))
    assert unused == {"a": 0, "bad": 1, "good": 0}
    (parked,) = await world.published(AgentParked)
    assert parked.agent_id == "bad"


async def test_a_retrain_that_fails_half_way_is_undone_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        await world.deliver(configure(name, trigger_minimum_feedback=1))
    publish = world.components.consumer._writer._triggers._windows.publish_claim  # type: ignore[attr-defined]

    async def fail_bad(tx: object, job: Job, *rest: object) -> None:
        if job.key.agent_id == "bad":
            raise RuntimeError("unforeseen")
        await publish(tx, job, *rest)

    monkeypatch.setattr(Windows, "publish_claim", staticmethod(fail_bad))
    await world.consume([record_of(feedback("i1", name)) for name in ("bad", "good")])

    unused = dict(await world.fetch("SELECT agent_id, unused FROM feedback_stats"))
    assert unused == {"bad": 1, "good": 0}
    assert await world.value("SELECT count(*) FROM jobs") == 1


async def test_a_stored_time_beyond_the_calendar_stops_nobody(world: World) -> None:
    """It was stored before times had bounds."""
    await world.deliver(configure(trigger_minimum_feedback=1))
    await world.fetch(
        "UPDATE agents SET profile = jsonb_set(profile, '{trigger,cooldown_seconds}', '1e12')"
    )
    await world.fetch(
        "UPDATE feedback_stats SET profile_revision = profile_revision + 1, unused = 1, "
        "last_window_at = $1, check_at = '2020-01-01'",
        world.clock.now(),
    )

    await world.components.sweeper.sweep()

    check_at = await world.value("SELECT check_at FROM feedback_stats")
    assert check_at == world.clock.now() + timedelta(days=366)
