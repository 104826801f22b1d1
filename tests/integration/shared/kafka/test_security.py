"""Services and clients over TLS and SASL, and what they say when they are not let in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest

from archon_contracts import topics
from archon_contracts.client import KafkaFeedbackClient, KafkaSecurity, subscribe
from archon_contracts.client.errors import BrokerUnavailableError
from archon_contracts.commands import RollBackModel
from archon_contracts.events import FeedbackReceived
from shared.errors import BrokerUnavailable
from shared.kafka.broker import new_router, subscription
from shared.kafka.security import security_arguments
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Cause, Message
from shared.postgres.database import Tx
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from shared.settings import KafkaSecuritySettings
from tests.support.eventually import eventually
from tests.support.infrastructure.certificates import Authority
from tests.support.infrastructure.guarded_kafka import (
    KEY_PASSWORD,
    PASSWORD,
    USER,
    guarded_kafka,
)
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.service_contexts import probe_settings, serving_application

ROOT = Path(__file__).parents[4]
# A start that waits for something takes 30 s by itself; tests of refusals end well before.
START_SECONDS = "6"
STRANGE = object()
STRANGE_CA = {"kafka_ssl_cafile": STRANGE}


async def _command_goes_round(database_url: str, fields: Mapping[str, object]) -> None:
    """From the outbox through the relay, Kafka and the consumer to the handler."""
    await migrate(database_url, "probe")
    service_context = ServiceContext.build(probe_settings(database_url, **fields))
    seen: list[str] = []
    router = new_router()
    commands = subscription(router, f"probe-{uuid4().hex[:8]}", topics.REGISTRY_COMMANDS)

    async def remember(_tx: Tx, message: Message[RollBackModel]) -> None:
        seen.append(message.body.agent_id)

    @commands.on(RollBackModel)
    async def roll_back(message: Message[RollBackModel]) -> None:
        await service_context.inbox.run_once(message, remember)

    service_context.broker.include_router(router)
    agent = f"agent-{uuid4().hex}"
    async with serving_application(service_context):
        async with service_context.database.transaction() as tx:
            command = RollBackModel(agent_id=agent, reason="worse")
            await service_context.outbox.append(tx, command, cause=Cause(uuid4(), "c"))
        service_context.notifier.notify()
        await eventually(lambda: agent in seen, timeout=20)


@pytest.fixture
async def broker(kafka: str) -> str:
    """The broker in the open, with its topics."""
    await ensure_topics(kafka)
    return kafka


async def test_a_service_works_over_tls(database_url: str, broker: str, tmp_path: Path) -> None:
    async with guarded_kafka(broker, tmp_path) as guarded:
        await _command_goes_round(database_url, guarded.settings("SSL"))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_service_works_over_tls_with_a_password(
    database_url: str, broker: str, tmp_path: Path, mechanism: str
) -> None:
    async with guarded_kafka(broker, tmp_path, mechanism=mechanism) as guarded:
        fields = guarded.settings("SASL_SSL", kafka_sasl_mechanism=mechanism)

        await _command_goes_round(database_url, fields)

        assert guarded.gate is not None
        # The relay's, the consumers' and the coordinator's connections were let in one by one.
        assert (guarded.gate.admitted > 2, guarded.gate.refused) == (True, 0)


async def test_a_service_works_with_a_password_in_the_open(
    database_url: str, broker: str, tmp_path: Path
) -> None:
    async with guarded_kafka(broker, tmp_path, mechanism="SCRAM-SHA-512", tls=False) as guarded:
        fields = guarded.settings("SASL_PLAINTEXT", kafka_sasl_mechanism="SCRAM-SHA-512")

        await _command_goes_round(database_url, fields)


@pytest.mark.parametrize("password", [None, KEY_PASSWORD])
async def test_a_service_works_over_mutual_tls(
    database_url: str, broker: str, tmp_path: Path, password: str | None
) -> None:
    async with guarded_kafka(broker, tmp_path, wants_certificate=True) as guarded:
        certificate = guarded.client_certificate(password=password)

        await _command_goes_round(database_url, guarded.settings("SSL", **certificate))


async def test_an_agents_clients_work_over_tls_with_a_password(broker: str, tmp_path: Path) -> None:
    tenant = f"tenant-{uuid4()}"
    sent = FeedbackReceived(
        tenant_id=tenant, agent_id="picker", interaction_id="i", input="q", rating=4
    )
    async with guarded_kafka(broker, tmp_path, mechanism="SCRAM-SHA-512") as guarded:
        security = KafkaSecurity(
            ca_file=str(guarded.authority.ca_file),
            mechanism="SCRAM-SHA-512",
            username=USER,
            password=PASSWORD,
        )
        connection = security.connection()
        async with KafkaFeedbackClient(
            guarded.address, source="test", connection=connection
        ) as client:
            await client.send(sent)
        events = subscribe(
            guarded.address,
            FeedbackReceived,
            tenant_id=tenant,
            idle_wait_seconds=0.02,
            connection=connection,
        )
        async with aclosing(events), asyncio.timeout(20):
            received = await anext(events)

    assert received.event == sent


async def test_topics_are_made_over_tls_with_a_password(kafka: str, tmp_path: Path) -> None:
    own = topics.Topic(f"made.behind.a.gate.{uuid4().hex}", "agent", 2)
    async with guarded_kafka(kafka, tmp_path, mechanism="SCRAM-SHA-512") as guarded:
        fields = guarded.settings("SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-512")
        security = security_arguments(KafkaSecuritySettings(**fields))

        made = await ensure_topics(guarded.address, topics=(own,), security=security)

        assert made == [own.name]
        with pytest.raises(BrokerUnavailable, match="does not let us in"):
            await ensure_topics(guarded.address, topics=(own,))


async def _finished(*command: str, **environment: str) -> tuple[int | None, str]:
    """Exit code and all words of a program that ends by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ARCHON_")}
    started = python_process(
        *command,
        cwd=ROOT,
        env=clean | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with started as process, asyncio.timeout(50):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


def _variables(fields: Mapping[str, object]) -> dict[str, str]:
    return {f"ARCHON_{name.upper()}": str(value) for name, value in fields.items()}


async def _start_of_registry(
    database_url: str, folder: Path, fields: Mapping[str, object]
) -> tuple[int | None, str]:
    return await _finished(
        *("-m", "services.registry"),
        ARCHON_DATABASE_URL=database_url,
        ARCHON_ARTIFACTS_URL=folder.as_uri(),
        ARCHON_HEALTH_PORT="0",
        ARCHON_START_TIMEOUT_SECONDS=START_SECONDS,
        **_variables(fields),
    )


@pytest.mark.parametrize(
    ("listener", "change", "setting"),
    [
        ({}, {"kafka_sasl_password": f"{PASSWORD}-wrong"}, "ARCHON_KAFKA_SASL_PASSWORD"),
        ({}, {"kafka_sasl_mechanism": "SCRAM-SHA-512"}, "ARCHON_KAFKA_SASL_MECHANISM"),
        ({}, STRANGE_CA, "ARCHON_KAFKA_SSL_CAFILE"),
        ({}, {"kafka_security_protocol": "PLAINTEXT"}, "ARCHON_KAFKA_SECURITY_PROTOCOL"),
        ({}, {"kafka_security_protocol": "SSL"}, "ARCHON_KAFKA_SECURITY_PROTOCOL"),
        ({"hosts": ("elsewhere.example",)}, {}, "ARCHON_KAFKA_BOOTSTRAP_SERVERS"),
        ({"hosts": ("127.0.0.2",)}, {}, "ARCHON_KAFKA_BOOTSTRAP_SERVERS"),
        ({"days": -2}, {}, "ARCHON_KAFKA_SSL_CAFILE"),
        ({"wants_certificate": True}, {}, "ARCHON_KAFKA_SSL_CERTFILE"),
        ({"tls": False}, {}, "ARCHON_KAFKA_SECURITY_PROTOCOL"),
    ],
    ids=[
        "wrong password",
        "wrong mechanism",
        "strange CA",
        "no TLS against TLS",
        "no SASL against SASL",
        "wrong host name",
        "wrong address",
        "expired certificate",
        "no client certificate",
        "TLS against no TLS",
    ],
)
async def test_a_service_that_is_not_let_in_names_the_setting_and_no_secret(
    database_url: str,
    kafka: str,
    tmp_path: Path,
    listener: Mapping[str, object],
    change: Mapping[str, object],
    setting: str,
) -> None:
    async with guarded_kafka(kafka, tmp_path, mechanism="PLAIN", **listener) as guarded:
        stranger = Authority(tmp_path / "else", "stranger").ca_file
        fields = guarded.settings("SASL_SSL", kafka_sasl_mechanism="PLAIN") | change
        fields = {k: str(stranger) if v is STRANGE else v for k, v in fields.items()}

        code, words = await _start_of_registry(database_url, tmp_path, fields)

    assert code == 2, words
    assert words.startswith(f"archon: Kafka at {guarded.address} does not ")
    assert setting in words
    assert PASSWORD not in words
    assert words.count("\n") == 1


@pytest.mark.parametrize(
    ("fields", "setting"),
    [
        ({"kafka_ssl_certfile": "/nonexistent.pem"}, "ARCHON_KAFKA_SSL_CERTFILE"),
        ({"kafka_ssl_keyfile": "/nonexistent.key"}, "ARCHON_KAFKA_SSL_CERTFILE"),
        ({"kafka_security_protocol": "SASL_SSL"}, "ARCHON_KAFKA_SASL_USERNAME"),
        (
            {
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_username": USER,
                "kafka_sasl_mechanism": PASSWORD,
            },
            "ARCHON_KAFKA_SASL_MECHANISM",
        ),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named_before_anything_connects(
    tmp_path: Path, fields: Mapping[str, object], setting: str
) -> None:
    common = {"kafka_bootstrap_servers": "127.0.0.1:9", "kafka_security_protocol": "SSL"}
    nowhere = "postgresql://nobody@127.0.0.1:9/none"

    code, words = await _start_of_registry(nowhere, tmp_path, common | fields)

    assert (code, words.count("\n")) == (2, 1), words
    assert setting in words


async def test_an_encrypted_key_without_its_password_is_no_question_on_the_terminal(
    tmp_path: Path,
) -> None:
    certificate, key = Authority(tmp_path, "authority").issue("client", password=KEY_PASSWORD)
    fields = {
        "kafka_bootstrap_servers": "127.0.0.1:9",
        "kafka_security_protocol": "SSL",
        "kafka_ssl_certfile": str(certificate),
        "kafka_ssl_keyfile": str(key),
    }

    code, words = await _start_of_registry("postgresql://n@127.0.0.1:9/none", tmp_path, fields)

    assert code == 2
    assert "ARCHON_KAFKA_SSL_CERTFILE and its key cannot be read" in words


async def test_an_agents_client_hears_why_it_is_not_let_in(kafka: str, tmp_path: Path) -> None:
    async with guarded_kafka(kafka, tmp_path, mechanism="PLAIN") as guarded:
        security = KafkaSecurity(
            ca_file=str(guarded.authority.ca_file),
            mechanism="PLAIN",
            username=USER,
            password=f"{PASSWORD}-wrong",
        )

        with pytest.raises(BrokerUnavailableError, match="does not accept") as caught:
            async with KafkaFeedbackClient(
                guarded.address, source="test", connection=security.connection()
            ):
                pass

    assert PASSWORD not in f"{caught.value}{security!r}"


async def test_setup_and_topics_use_the_same_settings(
    database_url: str, kafka: str, tmp_path: Path
) -> None:
    archon = ("-c", "from deploy.cli import app; app()")
    async with guarded_kafka(kafka, tmp_path, mechanism="SCRAM-SHA-512") as guarded:
        fields = guarded.settings("SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-512")
        environment = _variables(fields) | {"ARCHON_DATABASE_URL": database_url}

        set_up = await _finished(*archon, "setup", **environment)
        listed = await _finished(*archon, "topics", "--json", **environment)
        environment["ARCHON_KAFKA_SASL_PASSWORD"] = f"{PASSWORD}-wrong"
        refused = await _finished(*archon, "topics", **environment)

    assert set_up[0] == 0, set_up[1]
    assert (listed[0], topics.FEEDBACK.name in listed[1]) == (0, True), listed[1]
    assert (refused[0], "ARCHON_KAFKA_SASL_PASSWORD" in refused[1]) == (1, True), refused[1]
    assert PASSWORD not in refused[1]
