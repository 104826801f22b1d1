"""A local system on an external Kafka whose services are each a SCRAM user of their own."""

from typing import Any

from deploy.kafka_access import principal_of_role
from deploy.local.runtime import Runtime
from tests.support.infrastructure.real_kafka import ROLE_MECHANISM, ROLE_PASSWORD

ROLE_PRINCIPALS = "User:{role}"
"""Principals of the roles' users, as `deploy.kafka_access` takes them."""


def user_of(role: str) -> str:
    """The name of a role's user on `RealKafka`."""
    return principal_of_role(role, "{role}")


def sasl_variables(role: str) -> dict[str, str]:
    """Kafka settings in the environment of a process of this role."""
    return {
        "ARCHON_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "ARCHON_KAFKA_SASL_MECHANISM": ROLE_MECHANISM,
        "ARCHON_KAFKA_SASL_USERNAME": user_of(role),
        "ARCHON_KAFKA_SASL_PASSWORD": ROLE_PASSWORD,
    }


def sasl_security(role: str) -> dict[str, Any]:
    """How a client of aiokafka connects as this role."""
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": ROLE_MECHANISM,
        "sasl_plain_username": user_of(role),
        "sasl_plain_password": ROLE_PASSWORD,
    }


class RuntimeOfRoles(Runtime):
    """Its topics are made by whatever user the environment names; services have their own."""

    def _own_settings(self) -> dict[str, dict[str, str]]:
        own = super()._own_settings()
        return {name: own.get(name, {}) | sasl_variables(name) for name in self._settings.services}
