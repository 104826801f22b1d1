"""Commands about agents, checked as the gateway checks them: anybody may have written them."""

import pytest

from archon_contracts.commands import ConfigureAgent
from archon_contracts.values import AgentProfile
from services.coordinator.agents import AgentService
from services.coordinator.errors import InvalidBaseModel, NotVouchedFor, OversizedProfile
from shared.messaging.gateway_mac import GatewayMac
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import message_of

MAC = GatewayMac("ab" * 32)
FOLDER = "file:///models/mine"


def service() -> AgentService:
    world = InMemoryCoordinator()
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
