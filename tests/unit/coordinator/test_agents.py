"""Commands about agents, checked as the gateway checks them: anybody may have written them."""

import pytest

from archon_contracts.commands import ConfigureAgent, LimitAnswers
from archon_contracts.values import AgentProfile, ArtifactRef, ModelRef
from services.coordinator.agents import AgentService
from services.coordinator.domain import AgentKey
from services.coordinator.errors import (
    FixedByDeployment,
    InvalidBaseModel,
    NotVouchedFor,
    OversizedProfile,
)
from shared.messaging.gateway_mac import GatewayMac
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import NOON, message_of

MAC = GatewayMac("ab" * 32)
FOLDER = "file:///models/mine"


def service(world: InMemoryCoordinator | None = None) -> AgentService:
    world = world or InMemoryCoordinator()
    return AgentService(
        world.store,
        world.agent_queue,
        world.window_ends,
        world.outbox,
        world.audit,
        world.clock,
        MAC,
    )


def command(base_model: str, mac: bytes = b"") -> ConfigureAgent:
    profile = AgentProfile(agent_id="a", kind="selector", base_model=base_model)
    return ConfigureAgent(agent_id="a", profile=profile, gateway_mac=mac.decode())


@pytest.mark.parametrize("uri", ["http://evil/m", "/etc", "pypi:os.path", "s3://b/m", "", "pypi:"])
async def test_a_base_model_of_another_scheme_is_refused(uri: str) -> None:
    with pytest.raises(InvalidBaseModel, match=r"profile\.base_model"):
        await service().configure_agent(None, message_of(command(uri)))


async def test_a_folder_is_refused_without_the_gateways_proof() -> None:
    with pytest.raises(NotVouchedFor, match="over HTTP"):
        await service().configure_agent(None, message_of(command(FOLDER)))


async def test_a_proof_for_another_folder_is_none() -> None:
    mac = MAC.compute(b"default", b"a", b"file:///models/other")

    with pytest.raises(NotVouchedFor):
        await service().configure_agent(None, message_of(command(FOLDER, mac)))


async def test_a_folder_is_taken_with_the_gateways_proof() -> None:
    mac = MAC.compute(b"default", b"a", FOLDER.encode())

    await service().configure_agent(None, message_of(command(FOLDER, mac)))


async def test_a_package_needs_no_proof() -> None:
    await service().configure_agent(None, message_of(command("pypi:m")))


async def test_a_profile_above_the_limit_is_refused_over_kafka_too() -> None:
    sent = command("pypi:m")
    labels = tuple(f"{number} {'x' * 400}" for number in range(1_000))
    large = sent.model_copy(update={"profile": sent.profile.model_copy(update={"labels": labels})})

    with pytest.raises(OversizedProfile, match="shorter labels"):
        await service().configure_agent(None, message_of(large))


def classifier(*labels: str) -> ConfigureAgent:
    profile = AgentProfile(
        agent_id="a", kind="classifier", base_model="pypi:m", labels=labels, priority=len(labels)
    )
    return ConfigureAgent(agent_id="a", profile=profile, requested_by="key ada")


async def test_other_labels_limit_what_the_deployed_version_may_answer() -> None:
    world = InMemoryCoordinator()
    agents = service(world)
    await agents.configure_agent(None, message_of(classifier("x", "y", "z")))
    assert world.outbox.of(LimitAnswers) == []

    await agents.configure_agent(None, message_of(classifier("x", "y")))

    (sent,) = world.outbox.of(LimitAnswers)
    assert (sent.agent_id, sent.allowed_answers.labels) == ("a", ("x", "y"))
    assert sent.requested_by == "key ada"


async def test_a_profile_with_the_same_answers_limits_nothing() -> None:
    world = InMemoryCoordinator()
    agents = service(world)
    sent = classifier("x", "y")
    other = sent.profile.model_copy(update={"priority": 7})

    await agents.configure_agent(None, message_of(sent))
    await agents.configure_agent(None, message_of(sent.model_copy(update={"profile": other})))

    assert world.outbox.of(LimitAnswers) == []


@pytest.mark.parametrize("change", [{"base_model": "pypi:other"}, {"kind": "selector"}])
async def test_what_the_deployed_version_fixes_cannot_change_over_kafka_either(
    change: dict[str, str],
) -> None:
    world = InMemoryCoordinator()
    agents, sent = service(world), classifier("x", "y")
    await agents.configure_agent(None, message_of(sent))
    artifact = ArtifactRef(uri="file:///store/m", digest="ab" * 32)
    deployed = ModelRef(version="1.0.0", artifact=artifact)
    await world.store.set_deployed(None, AgentKey("default", "a"), deployed, NOON)
    other = AgentProfile.model_validate(sent.profile.model_dump() | change)

    with pytest.raises(FixedByDeployment, match="configure another agent"):
        await agents.configure_agent(None, message_of(sent.model_copy(update={"profile": other})))
