"""The registry on a real database: same answers as its fake, plus what only a database can do."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from archon_contracts.base import Contract
from archon_contracts.events import AgentConfiguration
from archon_contracts.identifiers import new_id
from archon_contracts.values import Estimate
from services.registry.archiving import Archiving
from services.registry.domain import Action, ModelStatus
from services.registry.errors import UnknownVersion
from services.registry.rollout.service import Rollouts
from services.registry.rollout.store import ExperimentStore
from services.registry.service import RegistryService
from services.registry.settings import Settings
from services.registry.store import ModelStore
from shared.audit import verify_log
from shared.errors import ConstraintViolated
from shared.messaging.messages import Message
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.registry import (
    ScriptedChecks,
    archive,
    deploy,
    register,
    retain,
    roll_back,
)


class RegistryOnPostgres:
    """The real service, one transaction per message."""

    def __init__(self, shared: ServiceContext) -> None:
        self.shared = shared
        self.models = ModelStore()
        collaborators = (self.models, shared.outbox, shared.audit, shared.clock)
        experiments = ExperimentStore()
        parts = (shared.outbox, shared.audit, shared.clock)
        self.rollouts = Rollouts(self.models, experiments, *parts)
        service = RegistryService(self.models, self.rollouts, *parts, ScriptedChecks())
        archiving = Archiving(*collaborators)
        self._use_cases = {
            "ArchiveModel": archiving.archive_model,
            "RetainModels": archiving.retain_models,
            "RegisterModel": service.register_model,
            "DeployModel": service.deploy_model,
            "RollBackModel": service.roll_back_model,
        }

    async def handle(self, *bodies: Contract) -> None:
        """Handle messages one after the other."""
        for body in bodies:
            await self.receive(message_of(body))

    async def receive(self, message: Message[Contract]) -> None:
        """Handle a message, which may come again."""
        use_case = self._use_cases[type(message.body).__name__]
        await self.shared.inbox.run_once(message, use_case)

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.shared.database.across_tenants() as connection:
            return [tuple(row.values()) for row in await connection.fetch(query)]

    async def configurations(self) -> list[tuple[int, str]]:
        """Revision and version of each queued configuration, in the order they will leave."""
        topic = AgentConfiguration.topic.name
        rows = await self.rows(f"SELECT payload FROM outbox WHERE topic = '{topic}' ORDER BY id")
        bodies = [AgentConfiguration.model_validate_json(row[0]) for row in rows]
        return [(body.revision, body.model.version) for body in bodies]


@pytest.fixture
async def registry(database_url: str) -> AsyncIterator[RegistryOnPostgres]:
    settings = probe_settings(database_url, service="registry")
    async with open_service_context(settings) as shared:
        yield RegistryOnPostgres(shared)


async def test_a_job_registered_twice_keeps_its_version(registry: RegistryOnPostgres) -> None:
    command = register(new_id())

    await registry.handle(command, command)

    assert await registry.rows("SELECT version, status FROM models") == [("1.0.0", "ready")]


async def test_a_model_is_read_back_as_it_was_registered(registry: RegistryOnPostgres) -> None:
    command = register().model_copy(
        update={"metrics": {"accuracy": Estimate(value=0.7, low=0.6, high=0.8, n=90)}}
    )
    await registry.handle(command)

    async with registry.shared.database.transaction("default") as tx:
        model = await registry.models.find(tx, "default", "picker", "1.0.0")
    assert model is not None
    assert model.artifact == command.artifact
    assert model.metrics == command.metrics
    assert await registry.rows("SELECT lineage FROM models") == [({"seed": 7, "window": "w1"},)]


async def test_deployments_and_rollbacks_leave_one_deployed_version(
    registry: RegistryOnPostgres,
) -> None:
    await registry.handle(register(), register(), register())
    await registry.handle(
        deploy("1.0.0"), deploy("1.1.0"), deploy("1.2.0"), roll_back(), roll_back()
    )

    deployed = await registry.rows("SELECT version FROM models WHERE status = 'deployed'")
    assert deployed == [("1.0.0",)]
    assert [revision for revision, _ in await registry.configurations()] == [1, 2, 3, 4, 5]
    history = await registry.rows("SELECT action FROM deployments ORDER BY revision")
    assert [row[0] for row in history] == [Action.DEPLOY] * 3 + [Action.ROLLBACK] * 2


async def test_concurrent_deployments_are_published_in_revision_order(
    registry: RegistryOnPostgres,
) -> None:
    await registry.handle(*(register() for _ in range(6)))

    await asyncio.gather(*(registry.handle(deploy(f"1.{minor}.0")) for minor in range(6)))

    published = await registry.configurations()
    assert [revision for revision, _ in published] == [1, 2, 3, 4, 5, 6]
    deployed = await registry.rows("SELECT version FROM models WHERE status = 'deployed'")
    assert deployed == [(published[-1][1],)]


async def test_concurrent_registrations_get_distinct_versions(registry: RegistryOnPostgres) -> None:
    await asyncio.gather(*(registry.handle(register()) for _ in range(6)))

    rows = await registry.rows("SELECT minor FROM models ORDER BY minor")
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4, 5]


async def test_the_database_rejects_a_second_deployed_version(registry: RegistryOnPostgres) -> None:
    await registry.handle(register(), register(), deploy("1.0.0"))

    with pytest.raises(ConstraintViolated, match="one_deployed_version_per_agent"):
        async with registry.shared.database.transaction("default") as tx:
            await tx.execute(
                "UPDATE models SET status = $1 WHERE version = '1.1.0'", ModelStatus.DEPLOYED
            )


def test_the_settings_name_the_registrys_schema(database_url: str) -> None:
    settings = Settings(
        database_url=database_url,
        kafka_bootstrap_servers="127.0.0.1:1",
        artifacts_url="file:///nonexistent",
        health_port=0,
    )

    assert settings.service == "registry"


async def test_deployments_of_many_agents_at_once_are_one_chain_in_the_audit_log(
    registry: RegistryOnPostgres,
) -> None:
    agents = [f"agent-{number}" for number in range(8)]
    await asyncio.gather(*(registry.handle(register(agent_id=agent)) for agent in agents))

    await asyncio.gather(*(registry.handle(deploy("1.0.0", agent_id=agent)) for agent in agents))

    async with registry.shared.database.across_tenants() as connection:
        check = (await verify_log(connection))["default", "registry"]
    assert (check.ok, check.entries, check.gaps) == (True, len(agents), [])


async def test_a_redelivered_deployment_is_recorded_once(registry: RegistryOnPostgres) -> None:
    await registry.handle(register(), deploy("1.0.0"), register())
    again = message_of(deploy("1.1.0"))

    for _ in range(3):
        await registry.receive(again)

    recorded = await registry.rows("SELECT action, subject FROM audit_log ORDER BY sequence")
    assert recorded == [("deployed", "1.0.0"), ("deployed", "1.1.0")]


async def test_a_failed_command_is_not_recorded(registry: RegistryOnPostgres) -> None:
    await registry.handle(register())

    with pytest.raises(UnknownVersion):
        await registry.handle(deploy("9.9.9"))

    assert await registry.rows("SELECT * FROM audit_log") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE models SET artifact_digest = repeat('0', 64) WHERE version = '1.0.0'",
        "UPDATE models SET lineage = '{}' WHERE version = '1.0.0'",
        "UPDATE models SET status = 'ready' WHERE version = '1.0.0'",
        "DELETE FROM models WHERE version = '1.0.0'",
    ],
)
async def test_the_database_refuses_to_change_a_version(
    registry: RegistryOnPostgres, statement: str
) -> None:
    await registry.handle(register(), archive("1.0.0"))

    with pytest.raises(ConstraintViolated, match="immutable_version"):
        async with registry.shared.database.transaction("default") as tx:
            await tx.execute(statement)


async def test_retention_during_deployments_never_archives_the_deployed_version(
    registry: RegistryOnPostgres,
) -> None:
    await registry.handle(*(register() for _ in range(8)), deploy("1.0.0"))

    await asyncio.gather(
        registry.handle(retain(1)), registry.handle(deploy("1.3.0")), return_exceptions=True
    )

    states = dict(await registry.rows("SELECT version, status FROM models"))
    deployed = [version for version, status in states.items() if status == "deployed"]
    published = await registry.configurations()
    assert deployed == [published[-1][1]]
    assert states["1.7.0"] == "ready"
    assert "archived" in states.values()
