"""The whole loop on Apache Kafka: each service is a SCRAM user with its role's rights, no more."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from archon_contracts.client import KafkaFeedbackClient
from archon_contracts.events import FeedbackReceived
from archon_contracts.namespace import Namespace
from deploy.demo.audit import FeedbackAudit, audit_feedback
from deploy.gateway_client import AsyncGatewayClient
from deploy.kafka_access import AGENT, SETUP, list_rules
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.settings import LocalSettings
from shared.kafka.access_control import grant_all
from tests.support.data.tiny_world import corrections, first_items, held_out_items, tiny_model
from tests.support.infrastructure.real_kafka import RealKafka
from tests.support.infrastructure.role_users import (
    ROLE_PRINCIPALS,
    RuntimeOfRoles,
    sasl_security,
    sasl_variables,
)
from tests.support.infrastructure.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(380)]
AGENT_ID = "guarded"


@pytest.fixture(scope="module")
def space() -> Namespace:
    return Namespace(f"roles-{uuid4().hex[:8]}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded_system(
    real_kafka: RealKafka, space: Namespace, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Rights first, then topics as the setup's user, then the services."""
    data_dir = tmp_path_factory.mktemp("roles")
    await grant_all(real_kafka.bootstrap_servers, list_rules(ROLE_PRINCIPALS, space))
    variables = sasl_variables(SETUP) | {
        "ARCHON_NAMESPACE": space.name,
        "ARCHON_TRAINER_WORK_DIR": str(data_dir / "trainer"),
        "OMP_NUM_THREADS": "1",
    }
    settings = LocalSettings(
        data_dir=data_dir,
        gateway_port=pick_free(),
        broker=real_kafka.sasl_servers,
        ready_timeout_seconds=120,
    )
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        async with (
            RuntimeOfRoles(settings) as runtime,
            AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as gateway,
        ):
            yield System(runtime, gateway, data_dir, tiny_model(data_dir / "tiny-encoder"))


async def test_the_loop_needs_no_right_that_its_roles_lack(
    guarded_system: System, space: Namespace
) -> None:
    system = guarded_system
    for name, purpose, items in (
        ("held-out", "evaluation", held_out_items()),
        ("first", "training", first_items()),
    ):
        await system.gateway.post(
            "/v1/datasets", {"name": name, "purpose": purpose, "items": items}
        )
    await system.deploy_first_version(AGENT_ID)

    sent = await send_as_agent(system, space)
    job = await system.completed(await system.retrain_of(AGENT_ID))

    count = len(sent)
    url = system.runtime.endpoints.database_url
    assert await audit_feedback(url, AGENT_ID, sent) == FeedbackAudit(
        sent=count, stored=count, used=count, lost=0, double=0
    )
    assert await system.versions(AGENT_ID) == ["1.0.0", job["version"]]
    assert refusals(system.data_dir / "log") == []


async def send_as_agent(system: System, space: Namespace) -> list[str]:
    """All corrections over Kafka, as the agent's own user."""
    servers = system.runtime.endpoints.kafka_bootstrap_servers
    async with KafkaFeedbackClient(
        servers, source=AGENT_ID, connection=sasl_security(AGENT), namespace=space.name
    ) as client:
        events = [FeedbackReceived.model_validate(each) for each in corrections(AGENT_ID)]
        return [str(await client.send(event)) for event in events]


def refusals(logs: Path) -> list[str]:
    """Log lines of the services about a missing right."""
    lines = (line for file in logs.glob("*.log") for line in file.read_text().splitlines())
    return [line for line in lines if "Authorization" in line or "does not let" in line]
