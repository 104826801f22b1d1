"""A producer that is made again when it can no longer send; the same seam for intake and relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from archon_contracts.client.lifetime import stop
from archon_contracts.client.patches import GapFreeProducer, abandon
from archon_contracts.client.producer import (
    METADATA_MAX_AGE_MS,
    REQUEST_TIMEOUT_MS,
    NamespacedProducer,
)
from shared.errors import BrokerUnavailable
from shared.kafka.connections import ConnectionStates
from shared.kafka.security import client_arguments
from shared.logging import get_logger
from shared.settings import ServiceSettings

log = get_logger(__name__)


def producer_factory(
    settings: ServiceSettings, client_id: str, **options: Any
) -> Callable[[], NamespacedProducer]:
    """What makes the producers of one connection: idempotent, acknowledged by all in-sync replicas.

    Raises:
        StartupFailed: a setting of TLS or SASL cannot be used.
    """
    arguments: dict[str, Any] = {
        **client_arguments(settings),
        "namespace": settings.kafka_namespace,
        "client_id": client_id,
        "acks": "all",
        "enable_idempotence": True,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        **options,
    }
    return lambda: NamespacedProducer(**arguments)


class HealingProducer:
    """One connection for writing, whatever becomes of the single producers behind it."""

    def __init__(
        self, name: str, make: Callable[[], GapFreeProducer], states: ConnectionStates
    ) -> None:
        self.name = name
        self.states = states
        self._make = make
        self._producer: GapFreeProducer | None = None
        self._renewing = asyncio.Lock()
        # asyncio itself keeps weak references only: a closing task could vanish before its end.
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def connected(self) -> GapFreeProducer:
        """The producer to send with; a new one when the last can send no more.

        The caller limits the time.

        Raises:
            BrokerUnavailable: this connection is closed.
            KafkaError: Kafka does not answer, or does not let us in.
        """
        async with self._renewing:
            if self._closed:
                raise BrokerUnavailable("the connection for writing to Kafka is closed")
            producer = self._producer
            if producer is not None:
                if producer.fault is None:
                    return producer
                self.retire(producer, producer.fault)
            self._producer = await self._start()
            return self._producer

    def retire(self, producer: GapFreeProducer, reason: BaseException) -> None:
        """Send no more with this one. It is closed beside, and what it still holds fails: whoever
        waits for that sends it again, and readers recognise the copies by their event id."""
        if self._producer is producer:
            self._producer = None
            log.info("kafka_producer_replaced", connection=self.name, reason=repr(reason))
            self._close_beside(producer)

    async def close(self, *, timeout_seconds: float) -> None:
        """Flush and disconnect, within the time."""
        # Before the first await: nobody may begin a new producer while this one closes.
        self._closed = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer, timeout_seconds=timeout_seconds)
        for task in self._closing:
            task.cancel()
        if self._closing:
            await asyncio.wait(self._closing, timeout=timeout_seconds)

    async def _start(self) -> GapFreeProducer:
        producer = self._make()
        try:
            await producer.start()
        except BaseException:
            self._close_beside(producer)
            raise
        return producer

    def _close_beside(self, producer: GapFreeProducer) -> None:
        task = asyncio.create_task(abandon(producer), name=f"close of {self.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
