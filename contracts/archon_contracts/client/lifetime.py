"""Kafka connections that start and stop within a time, whatever the broker does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from archon_contracts.client.errors import (
    BrokerUnavailableError,
    MissingExtraError,
    TopicMissingError,
)
from archon_contracts.client.log_rate_limit import limit_library_logs
from archon_contracts.client.patches import abandon
from archon_contracts.client.ports import KafkaConnection
from archon_contracts.client.security import (
    MISSING_RIGHT_ERRORS,
    describe_missing_right,
    diagnose_refusal,
    principal_in,
)

try:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

log = logging.getLogger(__name__)


async def start(
    connection: KafkaConnection,
    *,
    required_topics: Iterable[str],
    timeout_seconds: float,
    options: Mapping[str, Any],
) -> None:
    """Connect to Kafka and make sure that the topics are there.

    Asking first keeps a broker that creates topics on demand from creating one with the wrong
    number of partitions. `options` are what the connection was made with: they show what is wrong
    when TLS or SASL is.

    Raises:
        BrokerUnavailableError: Kafka could not be reached in time.
        TopicMissingError: Kafka was reached and lacks a topic.
    """
    limit_library_logs()
    try:
        async with asyncio.timeout(timeout_seconds):
            await connection.start()
            missing = set(required_topics) - await _topics(connection)
        if missing:
            raise TopicMissingError(f"Kafka has no topic {', '.join(sorted(missing))}")
    except (TimeoutError, KafkaError) as error:
        await stop(connection, timeout_seconds=timeout_seconds)
        refusal = await diagnose_refusal(options)
        if refusal is not None:
            raise BrokerUnavailableError(
                f"cannot reach Kafka: {refusal.reason} (KafkaSecurity: {refusal.fault.value})"
            ) from error
        if isinstance(error, MISSING_RIGHT_ERRORS):
            lacking = describe_missing_right(error, principal=principal_in(options))
            raise BrokerUnavailableError(lacking) from error
        reason = str(error) or f"no answer within {timeout_seconds:g} s"
        raise BrokerUnavailableError(f"cannot reach Kafka: {reason}") from error
    except BaseException:
        await stop(connection, timeout_seconds=timeout_seconds)
        raise


async def stop(connection: KafkaConnection, *, timeout_seconds: float) -> None:
    """Flush, leave and disconnect; what the broker does not answer in time is dropped."""
    try:
        async with asyncio.timeout(timeout_seconds):
            if isinstance(connection, AIOKafkaProducer):
                await connection.flush()  # stop() would flush in a task that outlives a timeout
            await connection.stop()
    except (TimeoutError, asyncio.CancelledError) as error:
        # An idempotent producer flushes for ever and a group member waits for its coordinator
        # while the broker is away, so their tasks are cancelled here. Callers that waited for
        # an acknowledgement have got an error already.
        log.warning("Kafka did not answer while closing; the connection was dropped")
        await abandon(connection)
        # The cancel may be that of a fetch in flight, which aiokafka lets out of its stop().
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise


async def _topics(connection: Any) -> set[str]:
    if isinstance(connection, AIOKafkaProducer):
        cluster = await connection.client.fetch_all_metadata()
        return set(cluster.topics())
    return set(await connection.topics())
