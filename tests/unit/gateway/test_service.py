"""Use cases that write: what is checked, and which command leaves."""

from collections.abc import Collection

import pytest

from archon_contracts.commands import (
    CancelJob,
    CancelSyntheticData,
    ConfigureAgent,
    DeployModel,
    GenerateSyntheticData,
    ReturnFeedback,
    RollBackModel,
)
from archon_contracts.events import Capability, JobState, TrainingRequested
from archon_contracts.identifiers import new_id
from services.gateway.auth.request_identity import RequestIdentity, identify_request
from services.gateway.domain import ModelView
from services.gateway.errors import Conflict, Invalid, NotFound
from services.gateway.requests import JobRequest, SyntheticDataRequest
from tests.support.gateway.gateway_service import (
    ACTOR,
    ANNOUNCED,
    BEFORE,
    CALLER,
    FIRST,
    ITEMS,
    JOB,
    LATER,
    NEVER_DEPLOYED,
    PREFERENCE,
    build_store,
    model,
    selector,
    service,
)


async def test_a_request_sent_again_is_one_job() -> None:
    gateway, outbox = await service()
    identity = RequestIdentity(CALLER, new_id())
    request_body = JobRequest(agent_id="a", method="continual", dataset="learn")

    first = await gateway.request_training(None, identity, request_body)
    again = await gateway.request_training(None, identity, request_body)

    (event,) = outbox.of(TrainingRequested)
    assert first.job_id == again.job_id == event.job_id == identity.id
    assert (event.dataset, event.dataset_name, event.requested_by) == (ITEMS, "learn", ACTOR)


@pytest.mark.parametrize(
    ("request_body", "error"),
    [
        (JobRequest(agent_id="nobody", method="supervised"), NotFound),
        (JobRequest(agent_id="a", method="supervised", dataset="none"), NotFound),
        (JobRequest(agent_id="a", method="supervised", dataset="suite"), Invalid),
        (JobRequest(agent_id="a", method="reinforcement"), Invalid),
    ],
)
async def test_an_invalid_training_request_publishes_nothing(
    request_body: JobRequest, error: type[Exception]
) -> None:
    store = await build_store()
    gateway, outbox = await service(store)

    with pytest.raises(error):
        await gateway.request_training(None, identify_request(CALLER), request_body)

    assert outbox.events == {}
    assert store.requested == {}


@pytest.mark.parametrize(
    ("announced", "available"),
    [
        (ANNOUNCED, "preference training of a selector; available: supervised, continual"),
        ([Capability(kind="generator", method="preference")], "of a selector; available: none"),
    ],
)
async def test_a_method_that_no_trainer_announced_is_refused_with_those_announced(
    announced: Collection[Capability], available: str
) -> None:
    gateway, _ = await service(await build_store(announced=announced))

    with pytest.raises(Invalid, match=available) as refusal:
        await gateway.request_training(None, identify_request(CALLER), PREFERENCE)

    assert [each.rule for each in refusal.value.errors] == ["method_not_available"]


async def test_before_any_trainer_has_reported_every_method_is_accepted() -> None:
    gateway, outbox = await service(await build_store(announced=()))

    await gateway.request_training(None, identify_request(CALLER), PREFERENCE)

    assert len(outbox.of(TrainingRequested)) == 1


async def test_a_running_job_is_cancelled_and_a_finished_one_is_not() -> None:
    gateway, outbox = await service()
    finished, _ = await service(await build_store(JobState.COMPLETED))

    await gateway.cancel_job(None, identify_request(CALLER), JOB, "wrong data")

    assert [c.job_id for c in outbox.of(CancelJob)] == [JOB]
    with pytest.raises(Conflict, match="completed"):
        await finished.cancel_job(None, identify_request(CALLER), JOB, "too late")


@pytest.mark.parametrize(
    ("state", "trigger", "version", "obstacle"),
    [
        (JobState.REJECTED, {"window_id": "w"}, None, None),
        (JobState.COMPLETED, {"window_id": "w"}, "1.1.0", None),  # it awaits a review
        (JobState.TRAINING, {"window_id": "w"}, None, "cancel it"),
        (JobState.FAILED, None, None, "no window of feedback"),
        (JobState.COMPLETED, {"window_id": "w"}, "1.2.0", "was deployed"),
    ],
)
async def test_feedback_is_given_back_unless_a_version_learnt_it(
    state: JobState, trigger: dict[str, str] | None, version: str | None, obstacle: str | None
) -> None:
    store = await build_store(state, [NEVER_DEPLOYED, LATER])
    store.change_job("acme", JOB, trigger=trigger, version=version)
    gateway, outbox = await service(store)

    if obstacle is None:
        await gateway.return_feedback(None, identify_request(CALLER), JOB, "mended")
    else:
        with pytest.raises(Conflict, match=obstacle):
            await gateway.return_feedback(None, identify_request(CALLER), JOB, "mended")

    sent = [(c.job_id, c.requested_by) for c in outbox.of(ReturnFeedback)]
    assert sent == ([] if obstacle else [(JOB, ACTOR)])


async def test_a_deployed_version_is_found_however_many_came_after_it() -> None:
    newer = [model(f"2.{number}.0", "ready", was_deployed=False) for number in range(1_000)]
    store = await build_store(JobState.COMPLETED, [*newer, BEFORE])
    store.change_job("acme", JOB, trigger={"window_id": "w"}, version=BEFORE.version)
    gateway, _ = await service(store)

    with pytest.raises(Conflict, match=r"version 1\.0\.0, which was deployed"):
        await gateway.return_feedback(None, identify_request(CALLER), JOB, "again")


async def test_an_unknown_version_is_not_deployed() -> None:
    gateway, outbox = await service()

    with pytest.raises(NotFound):
        await gateway.deploy_model(None, identify_request(CALLER), "a", "9.9.9", "hope")
    assert outbox.of(DeployModel) == []


async def test_an_archived_version_is_not_deployed() -> None:
    archived = model("1.2.0", "archived", was_deployed=True)
    gateway, outbox = await service(await build_store(models=[FIRST, archived]))

    with pytest.raises(Conflict, match="is archived"):
        await gateway.deploy_model(None, identify_request(CALLER), "a", "1.2.0", "hope")
    assert outbox.of(DeployModel) == []


@pytest.mark.parametrize(
    ("models", "to_version", "reason"),
    [
        ([], None, "no version of agent a is deployed"),
        ([NEVER_DEPLOYED], "1.1.0", "no version of agent a is deployed"),
        ([FIRST, NEVER_DEPLOYED], None, "was deployed before 1.0.0"),
    ],
)
async def test_a_rollback_without_a_target_is_a_conflict(
    models: list[ModelView], to_version: str | None, reason: str
) -> None:
    gateway, outbox = await service(await build_store(models=models))

    with pytest.raises(Conflict, match=reason):
        await gateway.roll_back_model(None, identify_request(CALLER), "a", to_version, "odd")

    assert outbox.of(RollBackModel) == []


@pytest.mark.parametrize(
    ("models", "to_version"), [([LATER, BEFORE], None), ([FIRST, NEVER_DEPLOYED], "1.1.0")]
)
async def test_a_rollback_with_a_target_is_published_as_a_command(
    models: list[ModelView], to_version: str | None
) -> None:
    gateway, outbox = await service(await build_store(models=models))

    await gateway.roll_back_model(None, identify_request(CALLER), "a", to_version, "odd")

    assert [c.to_version for c in outbox.of(RollBackModel)] == [to_version]


async def test_synthetic_data_is_requested_with_the_named_examples() -> None:
    store = await build_store()
    gateway, outbox = await service(store)
    request_body = SyntheticDataRequest(
        agent_id="a", scenario_type="support", count=5, examples="learn"
    )

    request_id = await gateway.generate_synthetic(None, identify_request(CALLER), request_body)

    (command,) = outbox.of(GenerateSyntheticData)
    assert list(store.synthetic) == [request_id] == [command.request_id]
    assert command.examples is not None
    assert (command.examples.artifact, command.examples.items) == (ITEMS, 3)
    assert command.deployed is None


async def test_the_deployed_version_is_named_so_that_it_checks_labels() -> None:
    gateway, outbox = await service(await build_store(models=[LATER, BEFORE]))
    request_body = SyntheticDataRequest(agent_id="a", scenario_type="support", count=5)

    await gateway.generate_synthetic(None, identify_request(CALLER), request_body)

    (command,) = outbox.of(GenerateSyntheticData)
    assert command.deployed is not None
    assert command.deployed.uri == LATER.uri


async def test_a_request_for_synthetic_data_is_cancelled_and_an_unknown_one_is_not() -> None:
    gateway, outbox = await service()
    identity = identify_request(CALLER)
    request_body = SyntheticDataRequest(agent_id="a", scenario_type="support", count=5)
    request_id = await gateway.generate_synthetic(None, identity, request_body)

    await gateway.cancel_synthetic(None, identify_request(CALLER), request_id, "too many")

    (command,) = outbox.of(CancelSyntheticData)
    assert (command.request_id, command.agent_id, command.reason) == (request_id, "a", "too many")
    with pytest.raises(NotFound):
        await gateway.cancel_synthetic(None, identity, new_id(), "none")


async def test_every_command_names_the_key_of_its_caller() -> None:
    gateway, outbox = await service(await build_store(models=[LATER, BEFORE]))
    identity = identify_request(CALLER)

    await gateway.configure_agent(None, identity, selector(reason="a new desk"), None)
    await gateway.cancel_job(None, identity, JOB, "wrong data")
    await gateway.deploy_model(None, identity, "a", BEFORE.version, "better")
    await gateway.roll_back_model(None, identity, "a", None, "odd")

    kinds = (ConfigureAgent, CancelJob, DeployModel, RollBackModel)
    commands = [command for kind in kinds for command in outbox.of(kind)]
    assert [command.requested_by for command in commands] == [ACTOR] * 4
    assert [command.reason for command in commands] == ["a new desk", "wrong data", "better", "odd"]
