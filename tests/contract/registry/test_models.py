"""The store in memory behaves as the real one does, as far as the service can see."""

from collections.abc import AsyncIterator

import pytest

from archon_contracts.identifiers import new_id
from archon_contracts.values import AllowedAnswers
from services.registry.domain import Action, Deployment, ModelStatus, ModelVersion, SemanticVersion
from services.registry.ports import ModelRepository
from services.registry.store import ModelStore
from shared.postgres.database import Tx
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import NOON
from tests.support.registry import InMemoryModelStore, register

TENANT, AGENT = "default", "picker"
Opened = tuple[ModelRepository, Tx]


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the real store's database is; None for the one in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def opened(url: str | None) -> AsyncIterator[Opened]:
    """A store and a transaction in which the agent is locked."""
    if url is None:
        yield InMemoryModelStore(), object()
        return
    async with (
        open_service_context(probe_settings(url, service="registry")) as shared,
        shared.database.transaction(TENANT) as tx,
    ):
        store = ModelStore()
        await store.lock_agent(tx, TENANT, AGENT)
        yield store, tx


async def put(models: ModelRepository, tx: Tx, minor: int) -> ModelVersion:
    """Insert version 1.minor.0."""
    command = register()
    model = ModelVersion(
        model_id=new_id(),
        tenant_id=TENANT,
        agent_id=AGENT,
        version=SemanticVersion(1, minor, 0),
        kind=command.kind,
        artifact=command.artifact,
        status=ModelStatus.READY,
        job_id=command.job_id,
        dataset_id=command.dataset_id,
        parent_version=None,
        metrics={},
        created_at=NOON,
    )
    await models.insert(tx, model, command)
    return model


def change(revision: int, model: ModelVersion) -> Deployment:
    return Deployment(
        revision=revision,
        version=str(model.version),
        previous_version=None,
        action=Action.DEPLOY,
        actor="somebody",
        reason="better",
        job_id=model.job_id,
        at=NOON,
    )


async def test_an_agent_without_models_has_nothing(opened: Opened) -> None:
    models, tx = opened

    assert await models.lock_agent(tx, TENANT, AGENT) == 0
    assert await models.find_deployed(tx, TENANT, AGENT) is None
    assert await models.find_before(tx, TENANT, AGENT, new_id()) == (None, None)
    assert await models.find_with_deployed(tx, TENANT, AGENT, "1.0.0") == (None, None)
    assert await models.list_versions(tx, TENANT, AGENT) == []


async def test_a_model_is_found_by_job_and_by_version(opened: Opened) -> None:
    models, tx = opened
    model = await put(models, tx, 0)

    assert await models.find_before(tx, TENANT, AGENT, model.job_id) == (model, model.version)
    assert await models.find_with_deployed(tx, TENANT, AGENT, "1.0.0") == (model, None)
    assert await models.find(tx, TENANT, AGENT, "1.0.0") == model
    assert await models.find(tx, "another", AGENT, "1.0.0") is None


async def test_versions_are_ordered_by_number(opened: Opened) -> None:
    models, tx = opened
    for minor in (9, 10, 2):
        await put(models, tx, minor)

    highest = SemanticVersion(1, 10, 0)
    assert await models.find_before(tx, TENANT, AGENT, new_id()) == (None, highest)
    assert await models.list_versions(tx, TENANT, AGENT) == ["1.10.0", "1.9.0", "1.2.0"]


async def test_one_version_is_deployed_at_a_time(opened: Opened) -> None:
    models, tx = opened
    first, second = await put(models, tx, 0), await put(models, tx, 1)

    await models.set_deployed(tx, first, change(1, first))
    await models.set_deployed(tx, second, change(2, second))

    deployed = await models.find_deployed(tx, TENANT, AGENT)
    former = await models.find(tx, TENANT, AGENT, "1.0.0")
    assert deployed is not None
    assert former is not None
    assert (deployed.version, former.status) == (second.version, ModelStatus.READY)
    assert await models.find_with_deployed(tx, TENANT, AGENT, "1.0.0") == (former, deployed)
    assert await models.find_with_deployed(tx, TENANT, AGENT, "1.1.0") == (deployed, deployed)


async def test_the_history_keeps_every_change_in_order(opened: Opened) -> None:
    models, tx = opened
    model = await put(models, tx, 0)
    changes = [change(1, model), change(2, model)]

    for made in changes:
        await models.set_deployed(tx, model, made)

    assert await models.list_deployments(tx, TENANT, AGENT) == changes
    assert await models.lock_agent(tx, TENANT, AGENT) == 2


async def test_what_an_agent_may_answer_is_kept(opened: Opened) -> None:
    models, tx = opened
    assert await models.find_allowed_answers(tx, TENANT, AGENT) is None

    allowed = AllowedAnswers(labels=("a", "\u00e9"), catalogue=register().artifact)
    await models.set_allowed_answers(tx, TENANT, AGENT, allowed)

    assert await models.find_allowed_answers(tx, TENANT, AGENT) == allowed
    assert await models.find_allowed_answers(tx, TENANT, "another") is None


async def test_a_configuration_without_a_deployment_has_a_revision_too(opened: Opened) -> None:
    models, tx = opened

    await models.set_revision(tx, TENANT, AGENT, 5)

    assert await models.lock_agent(tx, TENANT, AGENT) == 5


async def test_all_versions_are_listed_oldest_first(opened: Opened) -> None:
    models, tx = opened
    made = [await put(models, tx, minor) for minor in (10, 9)]

    assert await models.list_models(tx, TENANT, AGENT) == [made[1], made[0]]
    assert await models.list_models(tx, TENANT, "another") == []


async def test_an_archived_version_stays_archived_when_others_are_deployed(opened: Opened) -> None:
    models, tx = opened
    first, second = await put(models, tx, 0), await put(models, tx, 1)

    await models.set_archived(tx, first)
    await models.set_deployed(tx, second, change(1, second))

    archived = await models.find(tx, TENANT, AGENT, "1.0.0")
    assert archived is not None
    assert archived.status is ModelStatus.ARCHIVED


async def test_a_protection_is_kept_with_its_reason_and_taken_away(opened: Opened) -> None:
    models, tx = opened
    model = await put(models, tx, 0)

    await models.set_protection(tx, model, "audited")
    protected = await models.find(tx, TENANT, AGENT, "1.0.0")
    await models.set_protection(tx, model, None)

    assert protected is not None
    assert protected.protected_reason == "audited"
    assert await models.find(tx, TENANT, AGENT, "1.0.0") == model
