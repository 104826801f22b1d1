"""Use cases that write: what is checked, and which command leaves."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from archon_contracts.commands import (
    CancelJob,
    ConfigureAgent,
    DeployModel,
    GenerateSyntheticData,
    ReturnFeedback,
    RollBackModel,
)
from archon_contracts.events import Capability, JobState, TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, TrainingMethod
from services.gateway.auth.credentials import ALL_SCOPES, Caller, Scope
from services.gateway.auth.request_identity import RequestIdentity, identify_request
from services.gateway.domain import AgentView, Lineage, ModelView
from services.gateway.errors import Conflict, Invalid, NotFound, Overloaded
from services.gateway.load.tenant_limits import TenantLimits
from services.gateway.requests import AgentRequest, JobRequest, SyntheticDataRequest
from services.gateway.routes.agents import check_change
from services.gateway.service import (
    GatewayService,
    check_base_model,
    check_kind,
)
from tests.support.clocks import SetClock
from tests.support.gateway.service_store import InMemoryServiceStore
from tests.support.messaging.outbox import RecordingOutbox

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = ArtifactRef(uri="file:///items", digest="a" * 64)
KEY_ID = UUID(int=7)
CALLER = Caller("acme", "ci", ALL_SCOPES, KEY_ID)
ACTOR = f"ci (key {KEY_ID})"
JOB = new_id()
ANNOUNCED = [
    Capability(kind=AgentKind.SELECTOR, method=method)
    for method in (TrainingMethod.CONTINUAL, TrainingMethod.SUPERVISED)
]


async def build_store(
    job_state: JobState = JobState.TRAINING,
    models: Sequence[ModelView] = (),
    announced: Collection[Capability] = ANNOUNCED,
) -> InMemoryServiceStore:
    """Tenant acme has the selector `a`, two datasets, one job and these models."""
    store = InMemoryServiceStore()
    store.add_agent("acme", "a", AgentKind.SELECTOR)
    for name, purpose in (("learn", "training"), ("suite", "evaluation")):
        await store.add_dataset(None, "acme", name=name, purpose=purpose, items=3, artifact=ITEMS)
    store.add_job("acme", JOB, job_state, NOON)
    store.add_models("acme", models)
    store.add_worker(announced, NOON)
    return store


def model(version: str, status: str, *, was_deployed: bool) -> ModelView:
    return ModelView(
        agent_id="a",
        version=version,
        status=status,
        digest=ITEMS.digest,
        uri=ITEMS.uri,
        metrics={},
        lineage=Lineage(),
        deployed_at=NOON if was_deployed else None,
    )


FIRST = model("1.0.0", "deployed", was_deployed=True)
NEVER_DEPLOYED = model("1.1.0", "ready", was_deployed=False)
LATER = model("1.2.0", "deployed", was_deployed=True)
BEFORE = model("1.0.0", "ready", was_deployed=True)


async def service(
    store: InMemoryServiceStore | None = None,
) -> tuple[GatewayService, RecordingOutbox]:
    outbox, store = RecordingOutbox(), store or await build_store()
    limits = TenantLimits(store, SetClock(NOON), max_jobs=0)
    return GatewayService(store, outbox, SetClock(NOON), limits), outbox


def selector(**fields: object) -> AgentRequest:
    entries = [{"name": name} for name in ("one", "two")]
    values = {"agent_id": "a", "kind": "selector", "base_model": "pypi:m", "catalogue": entries}
    return AgentRequest(**(values | fields))


async def test_an_agent_is_configured_for_the_callers_tenant() -> None:
    gateway, outbox = await service()

    await gateway.configure_agent(
        None, identify_request(CALLER), selector(evaluation_dataset="suite"), ITEMS
    )

    (command,) = outbox.of(ConfigureAgent)
    assert command.tenant_id == "acme"
    assert command.profile.evaluation_suite == command.profile.catalogue == ITEMS


def test_max_steps_of_a_training_is_bounded() -> None:
    JobRequest(agent_id="a", method="supervised", config={"max_steps": 100_000})

    with pytest.raises(ValidationError, match="max_steps"):
        JobRequest(agent_id="a", method="supervised", config={"max_steps": 100_001})
    with pytest.raises(ValidationError, match="max_steps"):
        selector(training={"max_steps": 100_001})


WRITER = Caller("acme", "ci", frozenset({Scope.WRITE, Scope.ADMIN}), KEY_ID)


async def test_only_the_operator_may_name_a_folder_as_base_model() -> None:
    gateway, outbox = await service()
    request_body = selector(base_model="file:///srv/models/encoder")

    await gateway.configure_agent(None, identify_request(CALLER), request_body, ITEMS)
    with pytest.raises(Invalid, match="ask the operator") as refusal:
        await gateway.configure_agent(None, identify_request(WRITER), request_body, ITEMS)

    assert [error.field for error in refusal.value.errors] == ["base_model"]
    assert len(outbox.of(ConfigureAgent)) == 1


@pytest.mark.parametrize("uri", ["FILE:///etc", " file:///etc", "fi\tle:/etc", "file:etc"])
def test_other_spellings_of_a_folder_are_refused_too(uri: str) -> None:
    with pytest.raises(Invalid, match="operate"):
        check_base_model(uri, WRITER)


@pytest.mark.parametrize("uri", ["pypi:this.x", "pypi:../x", "pypi:", "m", "hub:a/b", "http://["])
def test_an_invalid_base_model_is_refused_with_its_field(uri: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_base_model(uri, CALLER)

    assert [error.field for error in refusal.value.errors] == ["base_model"]


async def test_a_training_dataset_is_refused_as_evaluation_suite() -> None:
    gateway, _ = await service()

    with pytest.raises(Invalid, match="for training, not for evaluation"):
        await gateway.configure_agent(
            None, identify_request(CALLER), selector(evaluation_dataset="learn"), ITEMS
        )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"catalogue": []}, "catalogue"),
        ({"catalogue": [{"name": "x"}, {"name": "x"}]}, "catalogue"),
        ({"kind": "classifier", "catalogue": []}, "labels"),
        ({"kind": "classifier", "catalogue": [], "labels": ["x", "y", "x"]}, "labels"),
    ],
)
def test_each_kind_of_agent_requires_its_fields(fields: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_kind(selector(**fields))

    assert refused.value.errors[0].field == field


def test_a_misspelt_policy_is_refused_instead_of_becoming_the_default() -> None:
    with pytest.raises(ValidationError, match="minimum_feedbak"):
        selector(trigger={"minimum_feedbak": 5})


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


PREFERENCE = JobRequest(agent_id="a", method="preference")


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


async def test_an_unknown_version_is_not_deployed() -> None:
    gateway, outbox = await service()

    with pytest.raises(NotFound):
        await gateway.deploy_model(None, identify_request(CALLER), "a", "9.9.9", "hope")
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


def test_a_body_that_names_the_caller_is_refused() -> None:
    with pytest.raises(ValidationError, match="requested_by"):
        selector(requested_by="somebody else")


async def test_a_tenant_with_too_many_jobs_is_refused_for_now() -> None:
    outbox, store = RecordingOutbox(), await build_store()
    limits = TenantLimits(store, SetClock(NOON), max_jobs=2)
    gateway = GatewayService(store, outbox, SetClock(NOON), limits)
    job = JobRequest(agent_id="a", method="supervised")
    first = identify_request(CALLER)
    await gateway.request_training(None, first, job)

    with pytest.raises(Overloaded, match="2 jobs of this tenant have not ended") as refusal:
        await gateway.request_training(None, identify_request(CALLER), job)
    await gateway.request_training(None, first, job)  # a repetition adds none

    assert (refusal.value.limit, refusal.value.retry_after_seconds) == ("jobs_per_tenant", 30)
    assert {event.job_id for event in outbox.of(TrainingRequested)} == {first.id}


async def test_requests_for_synthetic_data_are_bounded_until_they_have_a_result_or_are_old() -> (
    None
):
    clock = SetClock(NOON)
    store = await build_store()
    limits = TenantLimits(store, clock, max_jobs=1)
    gateway = GatewayService(store, RecordingOutbox(), clock, limits)
    items = SyntheticDataRequest(
        agent_id="a", scenario_type="customer-support", count=1, difficulty="easy"
    )
    await gateway.generate_synthetic(None, identify_request(CALLER), items)

    with pytest.raises(Overloaded, match="no result yet"):
        await gateway.generate_synthetic(None, identify_request(CALLER), items)
    clock.move(3_601)

    await gateway.generate_synthetic(None, identify_request(CALLER), items)


async def test_a_profile_that_is_too_large_to_be_sent_on_is_refused_at_once() -> None:
    gateway, outbox = await service()
    labels = [f"{number} {'x' * 400}" for number in range(1_000)]
    body = AgentRequest(agent_id="a", kind="classifier", base_model="pypi:m", labels=labels)

    with pytest.raises(Invalid, match=r"400000 are allowed; send fewer or shorter labels \(1000"):
        await gateway.configure_agent(None, identify_request(CALLER), body, None)

    assert outbox.of(ConfigureAgent) == []
    with pytest.raises(ValidationError, match="20000 items"):
        selector(labels=["x"] * 20_001)


def deployed_agent(**fields: object) -> AgentView:
    profile = AgentProfile(agent_id="a", kind="selector", base_model="pypi:m")
    values = {"agent_id": "a", "kind": "selector", "base_model": "pypi:m", "profile": profile}
    return AgentView(**(values | {"deployed_version": "1.0.0"} | fields))


@pytest.mark.parametrize("change", [{"base_model": "pypi:other"}, {"kind": "classifier"}])
def test_an_agent_with_a_deployed_version_keeps_its_kind_and_base_model(
    change: dict[str, object],
) -> None:
    with pytest.raises(Conflict, match=r"version 1\.0\.0 of agent a is deployed, a selector"):
        check_change(selector(**change), deployed_agent())

    check_change(selector(**change), deployed_agent(deployed_version=None))
    check_change(selector(), deployed_agent())
    check_change(selector(**change), None)
