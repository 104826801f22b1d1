"""Messages leave through here: appended in the transaction of their cause, sent by the relay."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from uuid import UUID

import orjson

from archon_contracts.base import Contract
from archon_contracts.envelope import Envelope
from archon_contracts.identifiers import derived_id
from archon_contracts.topics import dead_letters
from shared.messaging.dead_letters import build_dead_letter
from shared.messaging.messages import Cause, RawHeaders, RawRecord
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries
from shared.telemetry.spans import current_traceparent

_queries = load_queries("shared")


class Outbox:
    """Writes through the caller's transaction and never commits."""

    def __init__(self, service: str, clock: Clock, *, shards: int) -> None:
        self._service = service
        self._clock = clock
        self._shards = shards

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID:
        """Queue one event or command; returns its id.

        The id derives from the cause, type, key and `part`: a second append is a no-op.
        Messages of one topic and key leave in the order in which their transactions commit.
        """
        envelope = self._envelope(body, cause, part)
        await self.append_raw(
            tx,
            event_id=envelope.id,
            topic=body.topic.name,
            key=body.key,
            headers=tuple(envelope.to_headers()),
            payload=body.to_bytes(),
        )
        return envelope.id

    async def append_all(self, tx: Tx, bodies: Sequence[Contract], *, cause: Cause) -> None:
        """Queue several messages of one cause by one statement.

        Their ids derive as in `append`: no two may have the same type and key. Only for messages
        whose order does not matter, such as increments: unlike `append`, it does not order the
        writers of a key.
        """
        envelopes = [self._envelope(body, cause, "") for body in bodies]
        await _queries.insert_outbox_rows(
            tx,
            event_ids=[envelope.id for envelope in envelopes],
            shards=[self._shard(body.key) for body in bodies],
            topics=[body.topic.name for body in bodies],
            keys=[body.key for body in bodies],
            headers=[
                orjson.dumps(encode_headers(tuple(envelope.to_headers()))).decode()
                for envelope in envelopes
            ],
            payloads=[body.to_bytes() for body in bodies],
        )

    def _envelope(self, body: Contract, cause: Cause, part: str) -> Envelope:
        return Envelope(
            id=derived_id(cause.id, body.message_type(), body.key, part),
            source=f"archon/{self._service}",
            type=body.message_type(),
            time=self._clock.now(),
            subject=body.key,
            causation_id=cause.id,
            correlation_id=cause.correlation_id,
            traceparent=cause.traceparent or current_traceparent(),
        )

    def _shard(self, key: str) -> int:
        """One key is always in one shard, so that its messages keep their order."""
        # Not hash(): that of a text differs from process to process.
        return zlib.crc32(key.encode()) % self._shards

    async def append_raw(
        self,
        tx: Tx,
        *,
        event_id: UUID,
        topic: str,
        key: str,
        headers: RawHeaders,
        payload: bytes | None,
    ) -> bool:
        """Queue a record unchanged: a dead letter, or one that is replayed.

        Returns whether it was not queued before.
        """
        return bool(
            await _queries.insert_outbox(
                tx,
                event_id=event_id,
                shard=self._shard(key),
                topic=topic,
                key=key,
                headers=encode_headers(headers),
                payload=payload,
            )
        )

    async def append_dead_letter(
        self, tx: Tx, record: RawRecord, *, error: Exception, attempts: int
    ) -> bool:
        """Queue a record's original bytes and headers for the dead-letter topic, with the reason.

        A record's letter is queued once. Returns whether it was this time.
        """
        letter = build_dead_letter(
            record, service=self._service, error=error, attempts=attempts, at=self._clock.now()
        )
        return await self.append_raw(
            tx,
            # By its place on the topic: a batch that comes again makes no second letter.
            event_id=derived_id("dead-letter", record.topic, record.partition, record.offset),
            topic=dead_letters(self._service).name,
            key=letter.key,
            headers=letter.headers,
            payload=letter.payload,
        )


def encode_headers(headers: RawHeaders) -> list[list[str | None]]:
    """Headers as JSON holds them: values in base64, null kept."""
    return [[name, None if v is None else b64encode(v).decode()] for name, v in headers]


def decode_headers(stored: list[list[str | None]]) -> RawHeaders:
    """The inverse of `encode_headers`."""
    return tuple((name or "", None if v is None else b64decode(v)) for name, v in stored)
