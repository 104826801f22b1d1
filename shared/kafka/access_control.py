"""ACLs over the admin protocol (KIP-140), which aiokafka's admin client has no method for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    SecurityDisabled,
    for_code,
)
from aiokafka.protocol.admin import CreateAclsRequest

from shared.errors import BrokerUnavailable, PermanentError
from shared.kafka.patches import send_admin_request
from shared.kafka.security import explain_refusal
from shared.kafka.topic_admin import admin_client

# Numbers of the protocol, as in org.apache.kafka.common.acl and .resource.
RESOURCE_CODES: Final = {"topic": 2, "group": 3, "cluster": 4}
OPERATION_CODES: Final = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "DescribeConfigs": 10,
}
LITERAL: Final = 3
ALLOW: Final = 3
ANY_HOST: Final = "*"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A principal may do this operation on this resource."""

    principal: str
    resource: str
    name: str
    operation: str


async def grant_all(
    bootstrap_servers: str,
    rules: Iterable[AccessRule],
    *,
    security: Mapping[str, Any] | None = None,
    timeout_seconds: float = 60.0,
) -> int:
    """Add every rule; one that is there already stays. Returns their number.

    Raises:
        PermanentError: the broker keeps no ACLs, or this principal may not change them.
        BrokerUnavailable: it does not answer in time, or does not let us in.
    """
    arguments = {"bootstrap_servers": bootstrap_servers.split(","), **(security or {})}
    count = 0
    try:
        async with asyncio.timeout(timeout_seconds), admin_client(arguments) as admin:
            for rule in rules:
                answer = await send_admin_request(admin, _request(rule))
                for code, message in answer.creation_responses:
                    _raise_refusal(code, message, rule, bootstrap_servers)
                count += 1
    except IncompatibleBrokerVersion as error:
        raise PermanentError(_no_acls(bootstrap_servers)) from error
    except (KafkaError, OSError) as error:
        # A broker that does not know a request may also just close the connection.
        if count == 0 and isinstance(error, KafkaConnectionError) and await _answers(arguments):
            raise PermanentError(_no_acls(bootstrap_servers)) from error
        raise BrokerUnavailable(
            await explain_refusal(arguments, final=True)
            or f"Kafka at {bootstrap_servers} does not answer: {str(error) or 'no answer in time'}"
        ) from error
    return count


async def _answers(arguments: Mapping[str, Any]) -> bool:
    try:
        async with asyncio.timeout(5), admin_client(arguments) as admin:
            await admin.list_topics()
    except (KafkaError, OSError):
        return False
    return True


def _request(rule: AccessRule) -> CreateAclsRequest:
    return CreateAclsRequest(
        RESOURCE_CODES[rule.resource],
        rule.name,
        LITERAL,
        rule.principal,
        ANY_HOST,
        OPERATION_CODES[rule.operation],
        ALLOW,
    )


def _raise_refusal(
    code: int, message: str | None, rule: AccessRule, bootstrap_servers: str
) -> None:
    if code == 0:
        return
    error = for_code(code)
    if error is SecurityDisabled:
        # The embedded broker answers this too, as a Kafka without an authorizer does.
        raise PermanentError(_no_acls(bootstrap_servers))
    if error is ClusterAuthorizationFailedError:
        raise PermanentError(
            "this principal may not change ACLs: use one of super.users, or grant it Alter on "
            "the cluster"
        )
    raise PermanentError(
        f"Kafka refused to grant {rule.operation} on {rule.resource} {rule.name} to "
        f"{rule.principal}: {message or error.__name__}"
    )


def _no_acls(bootstrap_servers: str) -> str:
    return (
        f"the broker at {bootstrap_servers} keeps no ACLs, so there is nothing to grant: the "
        "embedded broker never does; Apache Kafka does with "
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    )
