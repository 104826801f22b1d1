"""Clients and services get into Apache Kafka with OAUTHBEARER, by Kafka's own handler for tests."""

from __future__ import annotations

from contextlib import aclosing
from uuid import uuid4

import pytest
from confluent_kafka.admin import ResourceType

from archon_contracts.client import KafkaFeedbackClient, KafkaSecurity, subscribe
from archon_contracts.client.errors import BrokerUnavailableError
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK, REGISTRY_COMMANDS, consumer_group
from shared.errors import StartupFailed
from shared.kafka.broker import new_router, subscription
from shared.kafka.topic_admin import ensure_topics
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.real_kafka import USER, RealKafka
from tests.support.infrastructure.service_contexts import probe_settings, serving_application
from tests.support.infrastructure.token_endpoint import TokenEndpoint, serving_tokens

SECRET = "client-secret"


async def test_a_client_sends_and_reads_with_a_token(real_kafka: RealKafka) -> None:
    await ensure_topics(real_kafka.bootstrap_servers, topics=(FEEDBACK,))
    group = f"oauth-{uuid4().hex}"
    real_kafka.grant(ResourceType.TOPIC, FEEDBACK.name)
    real_kafka.grant(ResourceType.GROUP, group)
    with serving_tokens(TokenEndpoint(USER, SECRET)) as url:
        connection = KafkaSecurity(
            tls=False, mechanism="OAUTHBEARER", username=USER, password=SECRET, token_url=url
        ).connection()
        async with KafkaFeedbackClient(
            real_kafka.sasl_servers, source="t", connection=connection
        ) as client:
            await client.send(
                FeedbackReceived(agent_id=group, interaction_id="i", input="q", rating=1)
            )
        events = subscribe(
            real_kafka.sasl_servers,
            FeedbackReceived,
            tenant_id=None,
            group_id=group,
            connection=connection,
        )
        async with aclosing(events):
            async for received in events:
                if received.event.agent_id == group:
                    break


async def test_a_client_that_gets_no_token_hears_why(real_kafka: RealKafka) -> None:
    with serving_tokens(TokenEndpoint(USER, SECRET)) as url:
        connection = KafkaSecurity(
            tls=False, mechanism="OAUTHBEARER", username=USER, password="wrong", token_url=url
        ).connection()
        with pytest.raises(BrokerUnavailableError, match=r"answers 401.*token_url"):
            async with KafkaFeedbackClient(
                real_kafka.sasl_servers, source="t", timeout_seconds=3, connection=connection
            ):
                pass


@pytest.mark.parametrize("secret", [SECRET, "wrong"])
async def test_a_service_starts_with_a_token_or_names_the_setting(
    real_kafka: RealKafka, database_url: str, secret: str
) -> None:
    await ensure_topics(real_kafka.bootstrap_servers, topics=(REGISTRY_COMMANDS,))
    name = f"probe-{uuid4().hex[:8]}"
    real_kafka.grant(ResourceType.TOPIC, REGISTRY_COMMANDS.name)
    real_kafka.grant(ResourceType.GROUP, consumer_group(name))
    await migrate(database_url, "probe")
    with serving_tokens(TokenEndpoint(USER, SECRET)) as url:
        settings = probe_settings(
            database_url,
            real_kafka.sasl_servers,
            kafka_security_protocol="SASL_PLAINTEXT",
            kafka_sasl_mechanism="OAUTHBEARER",
            kafka_sasl_username=USER,
            kafka_sasl_password=secret,
            kafka_sasl_oauth_url=url,
            start_timeout_seconds=10,
        )
        context = ServiceContext.build(settings)
        router = new_router()
        subscription(router, name, REGISTRY_COMMANDS)
        context.broker.include_router(router)
        if secret == SECRET:
            async with serving_application(context):
                assert context.health.started
                assert "kafka" not in await context.health.problems()
        else:
            with pytest.raises(StartupFailed, match="ARCHON_KAFKA_SASL_OAUTH_URL"):
                async with serving_application(context):
                    pass
