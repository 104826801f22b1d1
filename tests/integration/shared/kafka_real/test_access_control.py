"""Rights on Apache Kafka with its own authorizer: a role's writes pass, all others do not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from archon_contracts.namespace import Namespace
from archon_contracts.topics import ALL_TOPICS
from deploy.kafka_access import ROLES, WRITERS, Resource, list_grants, principal_of_role
from shared.errors import PermanentError
from shared.kafka.access_control import AccessRule, grant_all
from shared.kafka.topic_admin import ensure_topics
from tests.support.infrastructure.real_kafka import ROLE_PASSWORD, RealKafka

REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED


def client_settings(node: RealKafka, role: str) -> dict[str, Any]:
    """How librdkafka connects as a role."""
    return {
        "bootstrap.servers": node.sasl_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
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


@pytest.fixture(scope="module")
def space() -> Namespace:
    return Namespace(f"acl-{uuid4().hex[:8]}")


@pytest.fixture
async def guarded(real_kafka: RealKafka, space: Namespace) -> GuardedTopics:
    """Topics with a record each, and the rights of every role; both are made once only."""
    servers = real_kafka.bootstrap_servers
    if await ensure_topics(servers, namespace=space):
        await grant_all(servers, rules(space))
        producer = Producer({"bootstrap.servers": servers, "log_level": 0})
        for topic in ALL_TOPICS:
            producer.produce(space.qualify(topic.name), b"{}", b"k", partition=0)
        assert producer.flush(20) == 0
    return GuardedTopics(real_kafka, space)


def rules(space: Namespace) -> Iterator[AccessRule]:
    for role in ROLES:
        for each in list_grants(role, space):
            principal = principal_of_role(role, "User:{role}")
            yield AccessRule(principal, each.resource, each.name, each.operation)


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

    codes = guarded.write(role.replace("_", "-"), names)

    assert {name for name, code in codes.items() if code == 0} == allowed
    assert {code for code in codes.values() if code} <= {REFUSED}
    assert allowed >= {t.name for t, roles in WRITERS.items() if role in roles}


async def test_rights_that_are_there_may_be_granted_again(guarded: GuardedTopics) -> None:
    count = await grant_all(guarded.node.bootstrap_servers, rules(guarded.namespace))

    assert count == sum(len(list_grants(role)) for role in ROLES)


async def test_a_principal_without_alter_is_named_as_such(guarded: GuardedTopics) -> None:
    security = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "trainer",
        "sasl_plain_password": ROLE_PASSWORD,
    }
    with pytest.raises(PermanentError, match="may not change ACLs"):
        await grant_all(guarded.node.sasl_servers, rules(guarded.namespace), security=security)
