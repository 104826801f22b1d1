"""Three nodes of Apache Kafka of one scenario's own: three copies, two in sync to acknowledge."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ResourceType

from archon_contracts.topics import Topic, consumer_group
from deploy.local.processes.tcp_ports import LOOPBACK, pick_free
from deploy.local.servers.kafka_home import KafkaHome
from deploy.local.servers.kafka_node import CLUSTER_ID, KafkaNode, new_cluster_id
from shared.kafka.topic_admin import ensure_topics
from tests.faults.brokers.servers import Server
from tests.faults.waiting import until
from tests.support.infrastructure.real_kafka import PASSWORD, USER, RealKafkaAdmin, find_kafka_home

NODES = 3
# Beside two other nodes, PostgreSQL and the probes on a small machine.
HEAP = "-Xms64m -Xmx256m"
WELL_SECONDS = 60.0
ADMIN_SECONDS = 5.0


class KafkaCluster:
    """Nodes that can be ended, paused and started one by one; `admin` has every right."""

    def __init__(self, folder: Path) -> None:
        os.environ["KAFKA_HEAP_OPTS"] = HEAP
        self._ports = [[pick_free() for _ in range(3)] for _ in range(NODES)]
        home, cluster_id = KafkaHome.find(find_kafka_home()), new_cluster_id()
        self.nodes: list[Server] = []
        for number in range(NODES):
            data = folder / f"kafka-{number + 1}"
            data.mkdir(parents=True)
            (data / CLUSTER_ID).write_text(cluster_id)
            plain, _, controller = self._ports[number]
            properties = self._properties(number)
            self.nodes.append(
                Server(KafkaNode(home, data, plain, controller, properties=properties))
            )
        self._topics: list[str] = []

    @property
    def bootstrap_servers(self) -> str:
        """Where a super user connects."""
        return ",".join(f"{LOOPBACK}:{ports[0]}" for ports in self._ports)

    @property
    def sasl_servers(self) -> str:
        """Where `USER` connects, who has the rights that it was given."""
        return ",".join(f"{LOOPBACK}:{ports[1]}" for ports in self._ports)

    @property
    def user_settings(self) -> dict[str, object]:
        """Settings of a probe that connects as `USER`."""
        return {
            "kafka_bootstrap_servers": self.sasl_servers,
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_username": USER,
            "kafka_sasl_password": PASSWORD,
        }

    def port(self, number: int) -> int:
        """Where node `number` (from 0) listens for super users."""
        return self._ports[number][0]

    async def start(self, topics: Sequence[Topic]) -> None:
        """Start all nodes together, since one alone waits for the others, and make the topics."""
        await asyncio.gather(*(node.start() for node in self.nodes))
        self.admin = RealKafkaAdmin(self.bootstrap_servers)
        self._topics = [topic.name for topic in topics]
        await ensure_topics(self.bootstrap_servers, replication_factor=None, topics=tuple(topics))
        await self.well()

    async def stop(self) -> None:
        """Stop all nodes; a paused one goes on first."""
        for node in self.nodes:
            node.send(signal.SIGCONT)
        # Not in order: the last one would wait for a majority to let it go.
        await asyncio.gather(*(node.end(signal.SIGKILL) for node in self.nodes))

    def grant_probe(self) -> None:
        """Let `USER` do what a probe does: read and write the topics, in its group."""
        for name in self._topics:
            self.admin.grant(ResourceType.TOPIC, name)
        self.admin.grant(ResourceType.GROUP, consumer_group("probe"))
        self.admin.grant(ResourceType.BROKER, "kafka-cluster")

    async def well(self) -> bool:
        """Wait until every partition has a leader and all of its copies in sync."""

        async def in_sync() -> bool:
            return await asyncio.to_thread(self._in_sync)

        return await until(in_sync, timeout=WELL_SECONDS)

    def _in_sync(self) -> bool:
        # A client of its own: a long-lived one remembers what was before the damage.
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            metadata = admin.list_topics(timeout=ADMIN_SECONDS)
        except KafkaException:
            return False
        found = [metadata.topics.get(name) for name in self._topics]
        if "__consumer_offsets" in metadata.topics:  # made when the first group joins
            found.append(metadata.topics["__consumer_offsets"])
        return len(metadata.brokers) == NODES and all(
            topic is not None and topic.partitions and _is_in_sync(topic.partitions.values())
            for topic in found
        )

    def _properties(self, number: int) -> dict[str, str]:
        plain, sasl, controller = self._ports[number]
        voters = ",".join(f"{n + 1}@{LOOPBACK}:{ports[2]}" for n, ports in enumerate(self._ports))
        open_, closed = f"PLAINTEXT://{LOOPBACK}:{plain}", f"SASL_PLAINTEXT://{LOOPBACK}:{sasl}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return {
            "node.id": str(number + 1),
            "controller.quorum.voters": voters,
            "listeners": f"{open_},{closed},CONTROLLER://{LOOPBACK}:{controller}",
            "advertised.listeners": f"{open_},{closed}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"{login} required "
            f'user_{USER}="{PASSWORD}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "offsets.topic.replication.factor": "3",
            "transaction.state.log.replication.factor": "3",
            "transaction.state.log.min.isr": "2",
            "transaction.state.log.num.partitions": "4",
            # A transaction past its time-out is ended within this, 10 s by default: that delay is
            # Kafka's and not the readers'.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
            # A killed broker is noticed sooner than after Kafka's 9 s.
            "broker.session.timeout.ms": "6000",
        }


def _is_in_sync(partitions: object) -> bool:
    return all(
        each.leader >= 0 and len(each.isrs) == len(each.replicas)
        for each in partitions  # type: ignore[attr-defined]
    )


@asynccontextmanager
async def kafka_cluster(folder: Path, topics: Sequence[Topic]) -> AsyncIterator[KafkaCluster]:
    """A cluster with these topics while the block runs."""
    cluster = KafkaCluster(folder)
    try:
        await cluster.start(topics)
        yield cluster
    finally:
        await cluster.stop()
