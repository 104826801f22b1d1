"""Kafka's answers in plain sentences: who lacks which right on what, and how to give it."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from shared.settings import KafkaSecuritySettings

TOO_LARGE_ERRORS: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
MISSING_RIGHT_ERRORS: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)


def principal_of(settings: KafkaSecuritySettings) -> str:
    """Whom the broker takes this process for, as far as we can know."""
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_sasl_username:
        return f"User:{settings.kafka_sasl_username}"
    if settings.kafka_ssl_certfile:
        return "the user of the client certificate"
    return "User:ANONYMOUS"


def describe_error(
    error: BaseException,
    *,
    principal: str,
    operation: str = "Read",
    topic: str = "",
    group: str = "",
) -> str:
    """What a person has to know of it; `operation` is what was tried, and on what."""
    match error:
        case TopicAuthorizationFailedError():
            return missing_right(principal, operation, "topic", topic or _named_in(error))
        case GroupAuthorizationFailedError():
            return missing_right(principal, "Read", "group", group or _named_in(error))
        case ClusterAuthorizationFailedError():
            return missing_right(principal, "IdempotentWrite", "cluster", "")
        case NotEnoughReplicasError() | NotEnoughReplicasAfterAppendError():
            where = f"topic {topic} has" if topic else "there are"
            return f"{where} fewer in-sync replicas than its min.insync.replicas asks for"
        case UnknownTopicOrPartitionError():
            return f"Kafka has no topic {topic}; run `archon setup`" if topic else str(error)
        case TimeoutError():
            return "Kafka did not answer in time"
        case KafkaError():
            return f"{type(error).__name__}: {error}"
    return str(error) or type(error).__name__


def missing_right(principal: str, operation: str, kind: str, name: str) -> str:
    """Who lacks what, and the command that gives it."""
    resource = f"{kind} {name}".strip()
    option = "--cluster" if kind == "cluster" else f"--{kind} {name}"
    return (
        f"Kafka does not let {principal} {operation} on {resource}; grant it with kafka-acls.sh "
        f"--add --allow-principal '{principal}' --operation {operation} {option}"
    )


def _named_in(error: BaseException) -> str:
    return ", ".join(map(str, error.args))
