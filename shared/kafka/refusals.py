"""Kafka's answers in plain sentences: who lacks which right on what, and how to give it."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)

from archon_contracts.client.security import MISSING_RIGHT_ERRORS, describe_missing_right
from shared.settings import KafkaSecuritySettings

TOO_LARGE_ERRORS: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


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
    if isinstance(error, MISSING_RIGHT_ERRORS):
        return describe_missing_right(
            error, principal=principal, operation=operation, topic=topic, group=group
        )
    match error:
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
