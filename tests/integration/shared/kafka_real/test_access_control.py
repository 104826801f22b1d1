"""Each role's rights on Apache Kafka with its own authorizer: allowed acts pass, others do not."""

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
)
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from archon_contracts.namespace import Namespace
from archon_contracts.topics import (
    AGENT_CONFIGURATIONS,
    ALL_TOPICS,
    AUDIT,
    FEEDBACK,
    JOBS,
    SERVICES,
    TRAINER_COMMANDS,
    consumer_group,
)
from deploy.kafka_access import (
    AGENT,
    OPERATOR,
    READERS,
    ROLES,
    SETUP,
    WRITERS,
    Resource,
    list_grants,
    list_groups,
    list_rules,
)
from shared.errors import PermanentError
from shared.kafka.access_control import grant_all
from shared.kafka.topic_admin import ensure_topics
from tests.support.infrastructure.real_kafka import (
    ROLE_MECHANISM,
    ROLE_PASSWORD,
    RealKafka,
    build_right,
)
from tests.support.infrastructure.role_users import ROLE_PRINCIPALS, sasl_security, user_of

REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED
GROUP_REFUSED = KafkaError.GROUP_AUTHORIZATION_FAILED
# The first consumer of a node waits for the topic of the offsets to be made; a loaded machine takes
# many seconds for it.
READ_SECONDS = 30


def client_settings(node: RealKafka, role: str) -> dict[str, Any]:
    """How librdkafka connects as a role."""
    return {
        "bootstrap.servers": node.sasl_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": ROLE_MECHANISM,
        "sasl.username": role,
        "sasl.password": ROLE_PASSWORD,
        "log_level": 0,
    }


@dataclass(frozen=True, slots=True)
class GuardedTopics:
    """All topics of one namespace, with the table's rights applied."""

    node: RealKafka
    namespace: Namespace

    def write(self, role: str, names: list[str]) -> dict[str, int]:
        """The error code of a send to each topic; 0: it was acknowledged."""
        codes: dict[str, int] = {}
        producer = Producer({**client_settings(self.node, role), "message.timeout.ms": 8000})
        for name in names:

            def settled(error: KafkaError | None, _message: object, name: str = name) -> None:
                codes[name] = error.code() if error is not None else 0

            try:
                producer.produce(self.namespace.qualify(name), b"{}", b"k", on_delivery=settled)
            except KafkaException as error:
                codes[name] = error.args[0].code()
        producer.flush(15)
        return codes

    def read(self, role: str, names: list[str]) -> dict[str, int]:
        """The error code of each topic, read in the role's group; 0: a record came.

        By subscription, as the services read: for a partition that is assigned by hand, librdkafka
        says nothing of a topic that the principal may not even describe.
        """
        group = self.namespace.qualify(consumer_group(role))
        consumer = Consumer(reader_settings(self.node, user_of(role), group))
        consumer.subscribe([self.namespace.qualify(name) for name in names])
        codes: dict[str, int] = {}
        deadline = time.monotonic() + READ_SECONDS
        try:
            while len(codes) < len(names) and time.monotonic() < deadline:
                for message in consumer.consume(100, timeout=1):
                    # Without a topic: a connection that was lost, which librdkafka makes again.
                    if topic := self.namespace.plain(message.topic() or ""):
                        error = message.error()
                        codes[topic] = error.code() if error is not None else 0
        finally:
            consumer.close()
        return codes

    def list_offsets(self, role: str, groups: list[str]) -> dict[str, int]:
        """The error code of asking for each group's offsets, which begins as joining does."""
        admin = AdminClient(client_settings(self.node, user_of(role)))
        asked = {
            group: admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
            for group in groups
        }
        return {group: error_code(settled) for group, settled in asked.items()}


def error_code(settled: Future[Any]) -> int:
    """What the broker refused a request with; 0: nothing."""
    try:
        settled.result(20)
    except KafkaException as refused:
        return int(refused.args[0].code())
    return 0


def reader_settings(node: RealKafka, user: str, group: str) -> dict[str, Any]:
    """A consumer that leaves the group's offsets as they are, so that each test reads all."""
    return {
        **client_settings(node, user),
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }


@pytest.fixture(scope="module")
def space() -> Namespace:
    return Namespace(f"acl-{uuid4().hex[:8]}")


@pytest.fixture
async def guarded(real_kafka: RealKafka, space: Namespace) -> GuardedTopics:
    """Topics with a record each, and the rights of every role; both are made once only."""
    servers = real_kafka.bootstrap_servers
    if await ensure_topics(servers, namespace=space):
        await grant_all(servers, list_rules(ROLE_PRINCIPALS, space))
        producer = Producer({"bootstrap.servers": servers, "log_level": 0})
        for topic in ALL_TOPICS:
            producer.produce(space.qualify(topic.name), b"{}", b"k", partition=0)
        assert producer.flush(20) == 0
    return GuardedTopics(real_kafka, space)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_writes_to_its_topics_and_to_no_other(
    guarded: GuardedTopics, role: str
) -> None:
    names = [topic.name for topic in ALL_TOPICS]
    allowed = {
        guarded.namespace.plain(each.name)
        for each in list_grants(role, guarded.namespace)
        if (each.resource, each.operation) == (Resource.TOPIC, "Write")
    }

    codes = guarded.write(user_of(role), names)

    assert {name for name, code in codes.items() if code == 0} == allowed
    assert {code for code in codes.values() if code} <= {REFUSED}
    assert allowed >= {t.name for t, roles in WRITERS.items() if role in roles}


@pytest.mark.parametrize("role", SERVICES)
async def test_a_service_reads_its_topics_and_no_other(guarded: GuardedTopics, role: str) -> None:
    codes = guarded.read(role, [topic.name for topic in ALL_TOPICS])

    own = {topic.name for topic, roles in READERS.items() if role in roles}
    assert codes == {topic.name: 0 if topic.name in own else REFUSED for topic in ALL_TOPICS}


async def test_an_agent_reads_what_is_deployed_without_a_group(guarded: GuardedTopics) -> None:
    deployed, feedback = (
        TopicPartition(guarded.namespace.qualify(topic.name), 0)
        for topic in (AGENT_CONFIGURATIONS, FEEDBACK)
    )
    async with AIOKafkaConsumer(
        bootstrap_servers=guarded.node.sasl_servers, **sasl_security(AGENT)
    ) as consumer:
        consumer.assign([deployed])
        await consumer.seek_to_beginning()
        record = await asyncio.wait_for(consumer.getone(), READ_SECONDS)
        consumer.assign([feedback])
        consumer.seek(feedback, 0)
        with pytest.raises(TopicAuthorizationFailedError):
            await asyncio.wait_for(consumer.getone(), READ_SECONDS)

    assert record.value == b"{}"


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reads_the_offsets_of_its_groups_alone(
    guarded: GuardedTopics, role: str
) -> None:
    granted = list_grants(role, guarded.namespace)
    own = {each.name for each in granted if each.resource is Resource.GROUP}
    groups = list_groups(guarded.namespace)

    codes = guarded.list_offsets(role, groups)

    assert codes == {group: 0 if group in own else GROUP_REFUSED for group in groups}


@pytest.mark.parametrize("role", ["trainer", OPERATOR])
async def test_who_may_not_join_a_group_is_refused(guarded: GuardedTopics, role: str) -> None:
    """The operator may describe the group; the trainer may not even that."""
    group = guarded.namespace.qualify(consumer_group("registry"))
    consumer = Consumer(reader_settings(guarded.node, user_of(role), group))
    consumer.subscribe([guarded.namespace.qualify(TRAINER_COMMANDS.name)])
    try:
        errors = [message.error() for message in consumer.consume(1, timeout=READ_SECONDS)]
    finally:
        consumer.close()

    assert [error.code() for error in errors if error is not None] == [GROUP_REFUSED]


@pytest.mark.parametrize("role", [role for role in ROLES if role != SETUP])
async def test_no_role_but_setup_administers_topics_groups_or_rights(
    guarded: GuardedTopics, role: str
) -> None:
    admin = AdminClient(client_settings(guarded.node, user_of(role)))
    name, new = (guarded.namespace.qualify(each) for each in (JOBS.name, f"new-{uuid4().hex}"))
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
    group = guarded.namespace.qualify(consumer_group("registry"))
    audit = guarded.namespace.qualify(AUDIT.name)
    right = build_right(ResourceType.TOPIC, audit, user_of(role), AclOperation.READ)

    codes = {
        "create a topic": error_code(admin.create_topics([NewTopic(new, 1, 1)])[new]),
        "delete a topic": error_code(admin.delete_topics([name])[name]),
        "change a topic": error_code(admin.incremental_alter_configs([resource])[resource]),
        "add partitions": error_code(admin.create_partitions([NewPartitions(name, 99)])[name]),
        "delete a group": error_code(admin.delete_consumer_groups([group])[group]),
        "grant a right": error_code(admin.create_acls([right])[right]),
    }

    assert codes == {
        "create a topic": REFUSED,
        "delete a topic": REFUSED,
        "change a topic": REFUSED,
        "add partitions": REFUSED,
        "delete a group": GROUP_REFUSED,
        "grant a right": KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }


async def test_setup_may_grant_again_what_is_granted(guarded: GuardedTopics) -> None:
    security = sasl_security(SETUP)
    rules = list_rules(ROLE_PRINCIPALS, guarded.namespace)

    count = await grant_all(guarded.node.sasl_servers, rules, security=security)

    assert count == sum(len(list_grants(role)) for role in ROLES)


async def test_a_principal_without_alter_is_named_as_such(guarded: GuardedTopics) -> None:
    security = sasl_security("trainer")
    rules = list_rules(ROLE_PRINCIPALS, guarded.namespace)
    with pytest.raises(PermanentError, match="may not change ACLs"):
        await grant_all(guarded.node.sasl_servers, rules, security=security)
