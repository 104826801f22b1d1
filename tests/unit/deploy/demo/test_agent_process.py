"""The demo agent's settings for a Kafka elsewhere are those of the services."""

from dataclasses import fields
from typing import Any

import pytest

from archon_contracts.client.security import KafkaSecurity
from deploy.demo import agent
from deploy.demo.agent import AgentSettings
from deploy.demo.agent_process import _security

OF_SERVICES = {
    "ARCHON_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "ARCHON_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "ARCHON_KAFKA_SASL_USERNAME": "username",
    "ARCHON_KAFKA_SASL_PASSWORD": "password",
    "ARCHON_KAFKA_SASL_OAUTH_URL": "token_url",
    "ARCHON_KAFKA_SASL_OAUTH_SCOPE": "scope",
    "ARCHON_KAFKA_SSL_CAFILE": "ca_file",
    "ARCHON_KAFKA_SSL_CERTFILE": "certificate_file",
    "ARCHON_KAFKA_SSL_KEYFILE": "key_file",
    "ARCHON_KAFKA_SSL_KEY_PASSWORD": "key_password",
}
OF_AGENT = {
    "AGENT_ID": "a",
    "AGENT_TENANT_ID": "t",
    "AGENT_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "AGENT_GATEWAY_URL": "http://gateway",
    "AGENT_API_KEY": "k",
    "AGENT_REQUESTS": "requests",
    "AGENT_CLIENT_LOG": "log",
}


def test_every_field_of_the_security_reaches_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    built: dict[str, Any] = {}

    class ObservedSecurity:
        def __init__(self, **chosen: Any) -> None:
            built.update(chosen)

        def connection(self) -> dict[str, Any]:
            return {}

    for name, value in (OF_SERVICES | OF_AGENT).items():
        monkeypatch.setenv(name, value)
    for name, value in _security().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(agent, "KafkaSecurity", ObservedSecurity)

    AgentSettings().kafka_connection()

    own = {"tls": True, "mechanism": "OAUTHBEARER"}
    assert built == {each.name: own.get(each.name, each.name) for each in fields(KafkaSecurity)}
