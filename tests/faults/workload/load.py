"""Loads: every id goes into the client_log before its send, and again after the acknowledgement."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.client.errors import BrokerUnavailableError, GatewayUnavailableError
from archon_contracts.client.http import HttpFeedbackClient
from archon_contracts.client.kafka import KafkaFeedbackClient
from archon_contracts.client.producer import OutgoingRecord, ReliableProducer
from archon_contracts.commands import RollBackModel
from archon_contracts.envelope import Envelope
from archon_contracts.event_ids import FeedbackEvent, event_id_of
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.topics import REGISTRY_COMMANDS
from services.gateway.auth.credentials import hash_key
from tests.faults.accounting.client_log import ClientLog

KEYS = 20
KAFKA_SOURCE = "agent/faults"
WITNESS = "witness"
BATCH = 100
RETRY_SECONDS = 0.2


async def send_commands(bootstrap_servers: str, bodies: Sequence[Contract]) -> None:
    """Send commands and wait until all are acknowledged."""
    topics = sorted({body.topic.name for body in bodies})
    producer = ReliableProducer(bootstrap_servers, required_topics=topics)
    await producer.start()
    try:
        await producer.deliver([_record(body, _envelope(body)) for body in bodies])
    finally:
        await producer.stop()


def submitter_of_first_key(api_key: str) -> str:
    """The submitter that the gateway records for the key of the installation's start."""
    return f"key:{derived_id('api-key', hash_key(api_key).hex())}"


def _envelope(body: Contract) -> Envelope:
    return Envelope(id=new_id(), source="faults", type=body.message_type(), time=datetime.now(UTC))


def _record(body: Contract, envelope: Envelope) -> OutgoingRecord:
    return OutgoingRecord(
        body.topic.name, body.key.encode(), body.to_bytes(), envelope.to_headers()
    )


def made_feedback(agent_id: str, number: int) -> FeedbackReceived:
    """A feedback event, identified by its number."""
    return FeedbackReceived(
        agent_id=agent_id,
        interaction_id=f"interaction-{number}",
        input=f"what to do about matter {number}",
        actual="good",
        expected="bad" if number % 3 else "good",
        rating=1 + number % 5,
        occurred_at=datetime.now(UTC),
    )


class FeedbackLoad:
    """Feedback events of several agents, sent straight to Kafka, numbered from the seed on."""

    def __init__(
        self, bootstrap_servers: str, path: Path, agents: Sequence[str], *, start: int = 0
    ) -> None:
        self._client_log = ClientLog(path)
        self._client: KafkaFeedbackClient | HttpFeedbackClient = KafkaFeedbackClient(
            bootstrap_servers, source=KAFKA_SOURCE, timeout_seconds=5
        )
        self._submitter = KAFKA_SOURCE
        self._agents = agents
        self.sent = start

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client_log.close()
        await self._client.__aexit__(kind, error, traceback)

    async def send(self, count: int, *, batch: int = BATCH, pause: float = 0.0) -> None:
        """Send so many, batch by batch, each again until it is acknowledged."""
        left = count
        while left > 0:
            events = [self.make() for _ in range(min(batch, left))]
            await self.deliver(events)
            left -= len(events)
            await asyncio.sleep(pause)

    def make(self) -> FeedbackReceived:
        """The next feedback event, not sent yet."""
        self.sent += 1
        return made_feedback(self._agents[self.sent % len(self._agents)], self.sent)

    async def deliver(self, events: Sequence[FeedbackReceived]) -> None:
        """Send these until they are acknowledged."""
        for event in events:
            self._client_log.intend(event_id_of(event, self._submitter))
        await self.deliver_unlisted(events)
        for event in events:
            self._client_log.acknowledge(event_id_of(event, self._submitter))

    async def deliver_unlisted(self, events: Sequence[FeedbackEvent]) -> None:
        """Send these without a line in the client_log: none of them may be stored."""
        while events:
            try:
                await self._client.send_many(events)
                break
            except (BrokerUnavailableError, GatewayUnavailableError):
                await asyncio.sleep(RETRY_SECONDS)


class HttpFeedbackLoad(FeedbackLoad):
    """The same feedback events by way of the gateway, with its first key."""

    def __init__(
        self, url: str, api_key: str, path: Path, agents: Sequence[str], *, start: int = 0
    ) -> None:
        self._client_log = ClientLog(path)
        self._client = HttpFeedbackClient(url, api_key, attempts=1, timeout_seconds=10)
        self._submitter = submitter_of_first_key(api_key)
        self._agents = agents
        self.sent = start


class CommandLoad:
    """Commands for the probe, numbered per key, with ids that derive from the seed."""

    def __init__(self, bootstrap_servers: str, path: Path, seed: int) -> None:
        self._client_log = ClientLog(path)
        self._producer = ReliableProducer(
            bootstrap_servers, required_topics=[REGISTRY_COMMANDS.name], timeout_seconds=5
        )
        self._seed = seed
        self._numbers: Counter[int | str] = Counter()
        self.sent = 0
        self.acknowledged = 0

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client_log.close()
        await self._producer.stop()

    async def send(
        self, count: int, *, reason: str = "load", batch: int = BATCH, pause: float = 0.0
    ) -> list[UUID]:
        """Send so many, batch by batch, each again until it is acknowledged."""
        ids: list[UUID] = []
        while len(ids) < count:
            made = [self.make(reason) for _ in range(min(batch, count - len(ids)))]
            await self.deliver(made)
            ids += [event_id for event_id, _ in made]
            await asyncio.sleep(pause)
        return ids

    async def send_witness(self) -> UUID:
        """Send one more, of a key of its own: its effect shows that what came before is over.

        May run beside `send`, but not beside itself.
        """
        made = self.make("witness", agent=WITNESS)
        await self.deliver([made])
        return made[0]

    def make(
        self, reason: str = "load", *, agent: int | str | None = None
    ) -> tuple[UUID, OutgoingRecord]:
        """The next command, not sent yet."""
        self.sent += 1
        agent = self.sent % KEYS if agent is None else agent
        self._numbers[agent] += 1
        number = self._numbers[agent]
        event_id = derived_id("fault", self._seed, self.sent)
        body = RollBackModel(agent_id=f"agent-{agent}", to_version=str(number), reason=reason)
        envelope = Envelope(
            id=event_id,
            source="faults",
            type=body.message_type(),
            time=datetime.now(UTC),
            subject=body.key,
        )
        return event_id, _record(body, envelope)

    def make_unlisted(self) -> tuple[UUID, OutgoingRecord]:
        """A command that must never take effect: of a key of its own, in no client_log."""
        return self.make("unlisted", agent="unlisted")

    async def deliver(self, made: Sequence[tuple[UUID, OutgoingRecord]]) -> None:
        """Send these until they are acknowledged; a second send carries the same ids."""
        for event_id, _ in made:
            self._client_log.intend(event_id)
        while True:
            try:
                await self._producer.deliver([record for _, record in made])
                break
            except BrokerUnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
        for event_id, _ in made:
            self._client_log.acknowledge(event_id)
        self.acknowledged += len(made)
