"""A client with a certificate gets into Apache Kafka over TLS; one without is refused and named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from archon_contracts.client import KafkaFeedbackClient, KafkaSecurity
from archon_contracts.client.errors import BrokerUnavailableError
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK
from deploy.local.processes.tcp_ports import LOOPBACK, pick_free
from deploy.local.servers.kafka_home import KafkaHome
from deploy.local.servers.kafka_node import KafkaNode
from shared.kafka.topic_admin import ensure_topics
from tests.support.infrastructure.certificates import Authority
from tests.support.infrastructure.real_kafka import find_kafka_home, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no Apache Kafka here: {why_not()}")


@pytest.fixture
async def tls_servers(tmp_path: Path) -> AsyncIterator[str]:
    """The address at which a node wants a certificate that our authority has signed."""
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue("broker", LOOPBACK)
    keystore = tmp_path / "keystore.pem"
    keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
    authority.issue("client", "client")
    plain, tls, controller = pick_free(), pick_free(), pick_free()
    open_, closed = f"PLAINTEXT://{LOOPBACK}:{plain}", f"SSL://{LOOPBACK}:{tls}"
    properties = {
        "listeners": f"{open_},{closed},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"{open_},{closed}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca_file),
    }
    home = KafkaHome.find(find_kafka_home())
    node = KafkaNode(home, tmp_path / "kafka", plain, controller, properties=properties)
    await node.start()
    try:
        await ensure_topics(node.bootstrap_servers, topics=(FEEDBACK,))
        yield f"{LOOPBACK}:{tls}"
    finally:
        await node.stop()


async def test_a_client_certificate_opens_the_door(tls_servers: str, tmp_path: Path) -> None:
    security = KafkaSecurity(
        ca_file=str(tmp_path / "ca.ca.pem"),
        certificate_file=str(tmp_path / "client.pem"),
        key_file=str(tmp_path / "client.key"),
    )
    async with KafkaFeedbackClient(
        tls_servers, source="t", connection=security.connection()
    ) as client:
        await client.send(FeedbackReceived(agent_id="a", interaction_id="i", input="q", rating=1))

    without = KafkaSecurity(ca_file=str(tmp_path / "ca.ca.pem"))
    with pytest.raises(BrokerUnavailableError, match="certificate"):
        async with KafkaFeedbackClient(
            tls_servers, source="t", timeout_seconds=3, connection=without.connection()
        ):
            pass
