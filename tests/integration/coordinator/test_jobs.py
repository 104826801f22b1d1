"""A job from its request to its end, on a real database."""

from archon_contracts.commands import (
    CancelJob,
    CancelTraining,
    DeployModel,
    EvaluateModel,
    PlanCurriculum,
    PrepareDataset,
    RegisterModel,
    TrainModel,
)
from archon_contracts.events import (
    AgentConfigured,
    DatasetRejected,
    DeploymentRefused,
    EvaluationFailed,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRejected,
    JobStateChanged,
    ModelDeployed,
    ModelRolledBack,
    ReviewRequested,
    TrainingFailed,
    TrainingStarted,
)
from archon_contracts.values import ModelRef, TrainingConfig, TrustPolicy
from tests.support.coordinator.coordinator import (
    AGENT,
    EVALUATION_ID,
    JobReplies,
    World,
    artifact,
    configure,
    feedback,
    given_dataset,
    record_of,
    requested,
    run_to_the_end,
)
from tests.support.messaging.messages import NOON

WHOLE_LIFE = [
    "requested",
    "planning",
    "preparing",
    "queued",
    "training",
    "evaluating",
    "registering",
    "rolling_out",
    "completed",
]


async def test_a_requested_job_passes_every_state_and_is_completed(world: World) -> None:
    request = await given_dataset(world)

    await world.deliver(configure(), request)
    await run_to_the_end(world, request.job_id)

    assert await world.states(request.job_id) == WHOLE_LIFE
    completed = await world.last(JobCompleted)
    assert (completed.job_id, completed.model) == (request.job_id, "1.0.0")
    assert set(completed.stage_seconds) == set(WHOLE_LIFE[:-1])
    assert len(await world.published(AgentConfigured)) == 1


async def test_a_version_that_needs_a_review_is_registered_and_not_deployed(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    evaluated = answers.evaluated(review_reasons=("3 of 30 reference items",))

    await world.deliver(configure(), request, answers.plan(), answers.dataset(), answers.trained())
    await world.deliver(evaluated, answers.registered("1.1.0"))

    assert await world.states(request.job_id) == [*WHOLE_LIFE[:-2], "completed"]
    assert await world.published(DeployModel) == []
    completed, review = await world.last(JobCompleted), await world.last(ReviewRequested)
    assert (completed.model, completed.awaits_review) == ("1.1.0", True)
    assert (review.model.version, review.reasons) == ("1.1.0", ("3 of 30 reference items",))
    reason = (await world.last(JobStateChanged)).reason
    assert reason.startswith("version 1.1.0 is ready and not deployed, it awaits a review")


async def test_only_a_window_without_a_suite_needs_reference_items(world: World) -> None:
    provided = await given_dataset(world)
    window = requested()
    await world.deliver(configure(), provided)
    await run_to_the_end(world, provided.job_id)
    await world.consume([record_of(feedback("i1"))])
    answers = JobReplies(window.job_id)

    await world.deliver(window, answers.plan(), answers.dataset(), answers.trained())

    demanded = [each.minimum_reference_items for each in await world.published(EvaluateModel)]
    assert demanded == [0, 30]


async def test_every_state_sends_its_command(world: World) -> None:
    request = await given_dataset(world)
    trust = TrustPolicy(unit_proportion=0.2)

    await world.deliver(configure(trust=trust), request)
    await run_to_the_end(world, request.job_id)

    assert (await world.last(PlanCurriculum)).new_items == 2
    prepare = await world.last(PrepareDataset)
    assert (prepare.sources[0].items, prepare.seed, prepare.trust) == (2, 5, trust)
    train = await world.last(TrainModel)
    assert (train.attempt, train.dataset, train.config.seed) == (1, artifact("dataset"), 5)
    evaluate = await world.last(EvaluateModel)
    assert (evaluate.candidate, evaluate.deployed) == (JobReplies(request.job_id).candidate, None)
    assert (evaluate.items, evaluate.base_model) == (artifact("dataset"), train.base_model)
    register = await world.last(RegisterModel)
    assert register.metrics.keys() == {"accuracy", "accuracy.new"}
    assert register.lineage["dataset_digest"] == artifact("dataset").digest
    assert (await world.last(DeployModel)).model_version == "1.0.0"


async def test_a_job_requested_before_its_agent_is_configured_waits_for_it(world: World) -> None:
    request = await given_dataset(world)

    await world.deliver(request)
    before = await world.states(request.job_id)
    await world.deliver(configure())

    assert before == ["requested"]
    assert await world.states(request.job_id) == ["requested", "planning"]


async def test_a_candidate_that_fails_the_gate_ends_the_job_as_rejected(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)

    await world.deliver(configure(), request, answers.plan(), answers.dataset(), answers.trained())
    await world.deliver(answers.evaluated(passed=False))

    rejected = await world.last(JobRejected)
    assert (rejected.evaluation_id, rejected.reason) == (EVALUATION_ID, "it lost 0.1")
    assert await world.published(JobFailed) == []
    assert await world.published(RegisterModel) == []


async def test_a_retryable_failure_begins_the_next_attempt_and_the_last_one_ends(
    world: World,
) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)

    await world.deliver(configure(), request, answers.plan(), answers.dataset())
    for attempt in (1, 2, 3):
        await world.deliver(training_failed(request.job_id, attempt, retryable=True))

    assert [command.attempt for command in await world.published(TrainModel)] == [1, 2, 3]
    failed = await world.last(JobFailed)
    assert failed.reason == "out of memory (attempt 3 of 3)"


async def test_an_answer_of_an_older_attempt_changes_nothing(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    await world.deliver(configure(), request, answers.plan(), answers.dataset())
    await world.deliver(training_failed(request.job_id, 1, retryable=True))

    await world.deliver(answers.trained(attempt=1))

    assert (await world.states(request.job_id))[-1] == "training"
    assert await world.published(EvaluateModel) == []


async def test_answers_that_come_twice_or_too_late_change_nothing(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    await world.deliver(configure(), request)
    await run_to_the_end(world, request.job_id)

    await world.deliver(
        answers.plan(), answers.trained(), answers.evaluated(), answers.registered()
    )

    assert await world.states(request.job_id) == WHOLE_LIFE


async def test_answers_of_another_tenant_change_nothing(world: World) -> None:
    request = await given_dataset(world)
    await world.deliver(configure(), request)

    foreign = JobReplies(request.job_id).plan().model_copy(update={"tenant_id": "other"})
    await world.deliver(foreign)

    assert await world.states(request.job_id) == ["requested", "planning"]


async def test_a_permanent_failure_ends_the_job(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    await world.deliver(configure(), request, answers.plan(), answers.dataset())

    await world.deliver(training_failed(request.job_id, 1, retryable=False))

    assert (await world.last(JobFailed)).reason == "out of memory"


async def test_a_training_without_a_step_is_failed(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    await world.deliver(configure(), request, answers.plan(), answers.dataset())

    await world.deliver(answers.trained().model_copy(update={"steps": 0}))

    assert (await world.last(JobFailed)).reason == "the training made no optimizer step"


async def test_a_dataset_without_training_items_fails_the_job(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)

    await world.deliver(configure(), request, answers.plan(), answers.dataset(train=0))

    assert "left to train on" in (await world.last(JobFailed)).reason


async def test_a_rejected_dataset_fails_the_job_with_its_reason(world: World) -> None:
    request = await given_dataset(world)
    rejected = DatasetRejected(agent_id=AGENT, job_id=request.job_id, reason="no item has a target")

    await world.deliver(configure(), request, JobReplies(request.job_id).plan(), rejected)

    assert (await world.last(JobFailed)).reason == "no item has a target"


async def test_a_missing_dataset_fails_the_job_and_frees_the_agent(world: World) -> None:
    lost, found = requested(dataset=artifact("nowhere")), await given_dataset(world)

    await world.deliver(configure(), lost, found)

    assert "no artifact" in (await world.last(JobFailed)).reason
    assert await world.states(found.job_id) == ["requested", "planning"]


async def test_a_job_without_dataset_and_feedback_fails_and_says_why(world: World) -> None:
    await world.deliver(configure(), requested())

    assert (await world.last(JobFailed)).reason.startswith(f"agent {AGENT} has no unused feedback")


async def test_cancelling_a_job_cancels_its_training_attempt(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    await world.deliver(configure(), request, answers.plan(), answers.dataset())

    await world.deliver(CancelJob(job_id=request.job_id, reason="wrong data"), answers.trained())

    assert (await world.last(JobCancelled)).reason == "wrong data"
    assert (await world.last(CancelTraining)).attempt == 1
    assert (await world.states(request.job_id))[-1] == "cancelled"


async def test_a_failed_evaluation_is_dispatched_again_with_a_newer_attempt(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    failed = EvaluationFailed(
        agent_id=AGENT, job_id=request.job_id, error_type="X", reason="it crashed", retryable=True
    )
    await world.deliver(configure(), request, answers.plan(), answers.dataset(), answers.trained())

    await world.deliver(failed, failed, failed)

    assert [command.attempt for command in await world.published(EvaluateModel)] == [1, 2, 3]
    assert (await world.last(JobFailed)).reason == "it crashed (try 3 of 3)"


async def test_the_start_of_a_training_moves_its_deadline(world: World) -> None:
    request = await given_dataset(world)
    answers = JobReplies(request.job_id)
    await world.deliver(configure(), request, answers.plan(), answers.dataset())
    before = await world.value("SELECT deadline_at FROM jobs")
    world.clock.move(60)

    await world.deliver(
        TrainingStarted(
            agent_id=AGENT,
            job_id=request.job_id,
            attempt=1,
            worker_id="w",
            total_steps=10,
            first_step_at=NOON,
        )
    )

    assert await world.value("SELECT deadline_at FROM jobs") > before
    assert await world.states(request.job_id) == WHOLE_LIFE[:5]


async def test_the_next_candidate_is_compared_with_the_rolled_back_version(world: World) -> None:
    first, second = await given_dataset(world), await given_dataset(world)
    old = ModelRef(version="0.9.0", artifact=artifact("old"))
    await world.deliver(configure(), first)
    await run_to_the_end(world, first.job_id)

    await world.deliver(
        ModelRolledBack(
            revision=1,
            actor="somebody",
            agent_id=AGENT,
            model=old,
            from_version="1.0.0",
            reason="worse",
            rolled_back_at=NOON,
        )
    )
    await world.deliver(second)
    await run_to_the_end(world, second.job_id, "1.1.0")

    assert (await world.last(TrainModel)).warm_start == old
    assert (await world.last(EvaluateModel)).deployed == old
    assert (await world.last(RegisterModel)).parent_version == "0.9.0"


async def test_a_candidate_is_evaluated_again_when_another_version_was_deployed(
    world: World,
) -> None:
    request = await given_dataset(world)
    await world.deliver(configure(), request)
    answers = JobReplies(request.job_id)
    await world.deliver(answers.plan(), answers.dataset(), answers.trained(), answers.evaluated())
    await world.deliver(answers.registered("1.0.0"))
    first = await world.last(EvaluateModel)
    other = ModelRef(version="0.9.0", artifact=artifact("other"))

    await world.deliver(
        ModelDeployed(
            revision=1,
            actor="somebody",
            agent_id=AGENT,
            model=other,
            reason="by hand",
            deployed_at=NOON,
        ),
        DeploymentRefused(
            agent_id=AGENT,
            job_id=request.job_id,
            model=answers.deployed("1.0.0").model,
            deployed_version="0.9.0",
            reason="version 0.9.0 is deployed",
        ),
    )

    again = await world.last(EvaluateModel)
    assert again.deployed == other
    assert again.attempt > first.attempt
    assert (await world.states(request.job_id))[-1] == "evaluating"


async def test_the_agents_hyper_parameters_fill_what_the_request_leaves_open(world: World) -> None:
    request = (await given_dataset(world)).model_copy(
        update={"config": TrainingConfig(epochs=2, seed=9)}
    )
    profile = TrainingConfig(batch_size=8, epochs=1, seed=1)
    answers = JobReplies(request.job_id)

    await world.deliver(configure(training=profile), request, answers.plan(), answers.dataset())

    config = (await world.last(TrainModel)).config
    assert (config.batch_size, config.epochs, config.seed) == (8, 2, 9)


def training_failed(job_id: object, attempt: int, *, retryable: bool) -> TrainingFailed:
    """An attempt ended without a model."""
    return TrainingFailed(
        agent_id=AGENT,
        job_id=job_id,
        attempt=attempt,
        error_type="OutOfMemory",
        reason="out of memory",
        retryable=retryable,
    )
