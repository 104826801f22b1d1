"""Use cases that write: what is checked, and which command leaves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from archon_contracts.commands import (
    CancelJob,
    ConfigureAgent,
    DeployModel,
    GenerateSyntheticData,
    RollBackModel,
)
from archon_contracts.events import TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.values import ArtifactRef
from services.gateway.auth.credentials import ALL_SCOPES, Caller, Scope
from services.gateway.auth.request_identity import RequestIdentity, identify_request
from services.gateway.domain import DatasetView, JobView, Lineage, ModelView
from services.gateway.errors import Conflict, Invalid, NotFound
from services.gateway.requests import AgentRequest, JobRequest, SyntheticDataRequest
from services.gateway.service import (
    GatewayService,
    check_base_model,
    check_kind,
)
from tests.support.clocks import SetClock
from tests.support.messaging.outbox import RecordingOutbox

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = ArtifactRef(uri="file:///items", digest="a" * 64)
KEY_ID = UUID(int=7)
CALLER = Caller("acme", "ci", ALL_SCOPES, KEY_ID)
ACTOR = f"ci (key {KEY_ID})"


class FakeServiceStore:
    """A store that knows the agent `a`, two datasets, one job and the models given."""

    def __init__(self, job_state: str = "training", models: Sequence[ModelView] = ()) -> None:
        self.requested: list[UUID] = []
        self.synthetic: list[UUID] = []
        self._state = job_state
        self._models = models

    async def has_agent(self, _tx: object, _tenant: str, agent_id: str) -> bool:
        return agent_id == "a"

    async def datasets(
        self, _tx: object, _tenant: str, *, name: str | None = None, limit: int = 1000
    ) -> list[DatasetView]:
        known = {"learn": "training", "suite": "evaluation"}
        if name not in known:
            return []
        return [DatasetView(name=name, purpose=known[name], items=3, artifact=ITEMS)]

    async def add_requested_job(self, _tx: object, _tenant: str, job, **_fields: object) -> None:
        self.requested.append(job.job_id)

    async def find_job(self, _tx: object, _tenant: str, job_id: UUID, **_: object) -> JobView:
        return JobView(
            job_id=job_id,
            agent_id="a",
            method="supervised",
            state=self._state,
            attempt=1,
            reason="",
            trace_id="",
            created_at=NOON,
            history=[],
            stage_seconds={},
        )

    async def models(
        self, _tx: object, _tenant: str, _agent: str, *, version: str | None = None, limit: int = 1
    ) -> list[ModelView]:
        return [model for model in self._models if version in (None, model.version)]

    async def add_synthetic_request(
        self, _tx: object, _tenant: str, request_id: UUID, *_: object
    ) -> None:
        self.synthetic.append(request_id)


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


def service(store: FakeServiceStore | None = None) -> tuple[GatewayService, RecordingOutbox]:
    outbox = RecordingOutbox()
    return GatewayService(store or FakeServiceStore(), outbox, SetClock(NOON)), outbox


def selector(**fields: object) -> AgentRequest:
    entries = [{"name": name} for name in ("one", "two")]
    values = {"agent_id": "a", "kind": "selector", "base_model": "pypi:m", "catalogue": entries}
    return AgentRequest(**(values | fields))


async def test_an_agent_is_configured_for_the_callers_tenant() -> None:
    gateway, outbox = service()

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


async def test_a_folder_as_base_model_is_the_operators_to_name() -> None:
    gateway, outbox = service()
    request_body = selector(base_model="file:///srv/models/encoder")

    await gateway.configure_agent(None, identify_request(CALLER), request_body, ITEMS)
    with pytest.raises(Invalid, match="ask the operator") as refusal:
        await gateway.configure_agent(None, identify_request(WRITER), request_body, ITEMS)

    assert [error.field for error in refusal.value.errors] == ["base_model"]
    assert len(outbox.of(ConfigureAgent)) == 1


@pytest.mark.parametrize("uri", ["FILE:///etc", " file:///etc", "fi\tle:/etc", "file:etc"])
def test_a_folder_by_another_spelling_is_still_a_folder(uri: str) -> None:
    with pytest.raises(Invalid, match="operate"):
        check_base_model(uri, WRITER)


@pytest.mark.parametrize("uri", ["pypi:this.x", "pypi:../x", "pypi:", "m", "hub:a/b", "http://["])
def test_what_names_no_base_model_is_refused_with_its_field(uri: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_base_model(uri, CALLER)

    assert [error.field for error in refusal.value.errors] == ["base_model"]


async def test_a_training_dataset_is_no_evaluation_suite() -> None:
    gateway, _ = service()

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
def test_each_kind_brings_what_it_needs(fields: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_kind(selector(**fields))

    assert refused.value.errors[0].field == field


def test_a_misspelt_policy_is_refused_instead_of_becoming_the_default() -> None:
    with pytest.raises(ValidationError, match="minimum_feedbak"):
        selector(trigger={"minimum_feedbak": 5})


async def test_a_request_sent_again_is_one_job() -> None:
    gateway, outbox = service()
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
async def test_an_impossible_training_is_refused_before_anything_leaves(
    request_body: JobRequest, error: type[Exception]
) -> None:
    store = FakeServiceStore()
    gateway, outbox = service(store)

    with pytest.raises(error):
        await gateway.request_training(None, identify_request(CALLER), request_body)

    assert outbox.events == {}
    assert store.requested == []


async def test_a_method_without_a_recipe_is_refused_with_those_that_have_one() -> None:
    gateway, _ = service()

    with pytest.raises(Invalid, match="available: supervised, continual"):
        await gateway.request_training(
            None, identify_request(CALLER), JobRequest(agent_id="a", method="preference")
        )


async def test_a_running_job_is_cancelled_and_a_finished_one_is_not() -> None:
    gateway, outbox = service()
    finished, _ = service(FakeServiceStore("completed"))
    job = new_id()

    await gateway.cancel_job(None, identify_request(CALLER), job, "wrong data")

    assert [c.job_id for c in outbox.of(CancelJob)] == [job]
    with pytest.raises(Conflict, match="completed"):
        await finished.cancel_job(None, identify_request(CALLER), job, "too late")


async def test_a_version_that_nobody_knows_is_not_deployed() -> None:
    gateway, outbox = service()

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
async def test_a_rollback_with_nothing_to_return_to_is_a_conflict(
    models: list[ModelView], to_version: str | None, reason: str
) -> None:
    gateway, outbox = service(FakeServiceStore(models=models))

    with pytest.raises(Conflict, match=reason):
        await gateway.roll_back_model(None, identify_request(CALLER), "a", to_version, "odd")

    assert outbox.of(RollBackModel) == []


@pytest.mark.parametrize(
    ("models", "to_version"), [([LATER, BEFORE], None), ([FIRST, NEVER_DEPLOYED], "1.1.0")]
)
async def test_a_rollback_with_a_version_to_return_to_leaves_as_a_command(
    models: list[ModelView], to_version: str | None
) -> None:
    gateway, outbox = service(FakeServiceStore(models=models))

    await gateway.roll_back_model(None, identify_request(CALLER), "a", to_version, "odd")

    assert [c.to_version for c in outbox.of(RollBackModel)] == [to_version]


async def test_synthetic_items_vary_the_examples() -> None:
    store = FakeServiceStore()
    gateway, outbox = service(store)
    request_body = SyntheticDataRequest(
        agent_id="a", scenario_type="support", count=5, examples="learn"
    )

    request_id = await gateway.generate_synthetic(None, identify_request(CALLER), request_body)

    (command,) = outbox.of(GenerateSyntheticData)
    assert store.synthetic == [request_id] == [command.request_id]
    assert command.examples is not None
    assert (command.examples.artifact, command.examples.items) == (ITEMS, 3)


async def test_every_command_names_the_key_of_its_caller() -> None:
    gateway, outbox = service(FakeServiceStore(models=[LATER, BEFORE]))
    identity = identify_request(CALLER)

    await gateway.configure_agent(None, identity, selector(reason="a new desk"), None)
    await gateway.cancel_job(None, identity, new_id(), "wrong data")
    await gateway.deploy_model(None, identity, "a", BEFORE.version, "better")
    await gateway.roll_back_model(None, identity, "a", None, "odd")

    kinds = (ConfigureAgent, CancelJob, DeployModel, RollBackModel)
    commands = [command for kind in kinds for command in outbox.of(kind)]
    assert [command.requested_by for command in commands] == [ACTOR] * 4
    assert [command.reason for command in commands] == ["a new desk", "wrong data", "better", "odd"]


def test_no_body_can_name_the_caller() -> None:
    with pytest.raises(ValidationError, match="requested_by"):
        selector(requested_by="somebody else")
