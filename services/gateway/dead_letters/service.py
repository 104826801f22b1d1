"""Dead letters of all services: kept as they came, shown, and sent again on request."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from pydantic import BaseModel

from archon_contracts.envelope import HeaderView, record_time
from archon_contracts.events import AuditAction
from archon_contracts.identifiers import derived_id
from archon_contracts.topics import (
    ALL_TOPICS,
    DEAD_LETTER_DAYS,
    DEAD_LETTER_TOPICS,
    REPLAY_DAYS,
)
from services.gateway.audit.entries import build_entry
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.errors import Conflict, NotFound
from shared.audit import AuditEntry
from shared.clock import Clock
from shared.messaging.messages import Cause, RawHeaders, RawRecord
from shared.postgres.database import Tx

DLQ_HEADER_PREFIX: Final = "dlq_"
INT4: Final = 2**31 - 1
INT8: Final = 2**63 - 1
SERVICE_BY_TOPIC: Final = {
    topic.name: topic.name.removeprefix("archon.").removesuffix(".dead-letter.v1")
    for topic in DEAD_LETTER_TOPICS
}
REPLAYABLE: Final = frozenset(t.name for t in ALL_TOPICS) - frozenset(SERVICE_BY_TOPIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDeadLetter:
    """A record that a service could not handle, as it was received first."""

    id: str
    service: str
    reason: str
    error_type: str
    attempts: int
    topic: str
    partition: int
    record_offset: int
    key: bytes | None
    headers: RawHeaders
    null_headers: tuple[str, ...]
    body: bytes | None
    size_bytes: int | None
    first_at: datetime
    last_at: datetime
    replays: int = 0
    replayed_at: datetime | None = None


class DeadLetterView(BaseModel):
    """A line of the list."""

    id: str
    service: str
    type: str | None
    at: datetime
    reason: str
    error_type: str
    attempts: int
    topic: str
    partition: int
    offset: int
    key: str | None
    first_at: datetime
    last_at: datetime
    size_bytes: int | None
    replays: int
    replayed_at: datetime | None


class DeadLetterDetail(DeadLetterView):
    """A dead letter with all that was received."""

    headers: dict[str, str | None]
    body: str | None
    body_encoding: str


class DeadLetterStore(Protocol):
    """What is needed of the store."""

    async def add(self, tx: Tx, letter: StoredDeadLetter) -> None: ...

    async def find(self, tx: Tx, letter_id: str) -> StoredDeadLetter | None: ...

    async def newest(
        self, tx: Tx, *, service: str | None, limit: int
    ) -> list[StoredDeadLetter]: ...

    async def count_replay(self, tx: Tx, letter_id: str) -> int: ...

    async def prune(self, tx: Tx, *, keep_days: int) -> None: ...


class RawOutbox(Protocol):
    """What is needed of the outbox."""

    async def append_raw(
        self,
        tx: Tx,
        *,
        event_id: UUID,
        topic: str,
        key: str,
        headers: RawHeaders,
        payload: bytes | None,
    ) -> bool: ...


class AuditLog(Protocol):
    """Records who did what."""

    async def append(self, tx: Tx, entry: AuditEntry, *, cause: Cause, part: str = "") -> None: ...


class DeadLetterService:
    """Takes `tx` and never commits."""

    def __init__(
        self, store: DeadLetterStore, outbox: RawOutbox, audit: AuditLog, clock: Clock
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def add(self, tx: Tx, record: RawRecord) -> None:
        """Keep a record of a dead-letter topic; the same record again is a no-op."""
        await self._store.add(tx, parse_dead_letter(record))

    async def prune(self, tx: Tx) -> None:
        """Forget those that can no longer be replayed."""
        await self._store.prune(tx, keep_days=DEAD_LETTER_DAYS)

    async def newest(self, tx: Tx, *, service: str | None, limit: int) -> list[DeadLetterView]:
        """The newest ones, of one service or all."""
        found = await self._store.newest(tx, service=service, limit=limit)
        return [DeadLetterView(**_to_fields(letter)) for letter in found]

    async def find(self, tx: Tx, letter_id: str) -> DeadLetterDetail:
        """One with its headers and body.

        Raises:
            NotFound: no such dead letter.
        """
        letter = await self._store.find(tx, letter_id)
        if letter is None:
            raise NotFound("dead letter", letter_id)
        body, encoding = to_text(letter.body)
        headers = {name: to_text(value)[0] for name, value in letter.headers}
        headers |= dict.fromkeys(letter.null_headers)
        return DeadLetterDetail(
            **_to_fields(letter), headers=headers, body=body, body_encoding=encoding
        )

    async def replay(self, tx: Tx, identity: RequestIdentity, letter_id: str) -> int:
        """Send the original bytes and headers to the original topic; returns the replay's number.

        Null headers were dropped on the way here and stay away.

        Raises:
            NotFound: no such dead letter.
            Conflict: its topic is none of ours, its body was cut, or it is too old.
        """
        letter = await self._store.find(tx, letter_id)
        if letter is None:
            raise NotFound("dead letter", letter_id)
        if _first_sent_at(letter) < self._clock.now() - timedelta(days=REPLAY_DAYS):
            # Services that did handle the record may have forgotten so: it would count twice.
            raise Conflict(f"the record is older than {REPLAY_DAYS} days and takes no replay")
        if letter.topic not in REPLAYABLE:
            raise Conflict(f"topic {letter.topic!r} takes no replay")
        if (letter.size_bytes or 0) > len(letter.body or b""):
            place = f"{letter.topic}/{letter.partition}/{letter.record_offset}"
            raise Conflict(f"its body was too large to keep whole; the record is at {place}")
        number = await self._store.count_replay(tx, letter_id)
        # Before the record: the log itself may be the topic that is replayed to, and then the
        # chain's lock comes before the topic's, as in every other transaction.
        await self._audit.append(
            tx, _replay_entry(identity, letter, number), cause=identity.cause(), part=str(number)
        )
        await self._outbox.append_raw(
            tx,
            event_id=derived_id("replay", letter_id, number),
            topic=letter.topic,
            key=(letter.key or b"").decode(errors="replace").replace("\x00", ""),
            headers=letter.headers,
            payload=letter.body,
        )
        return number


def _first_sent_at(letter: StoredDeadLetter) -> datetime:
    """When the record was first sent: replays keep its `ce_time`, and may fail again and again."""
    stated = HeaderView.of(letter.headers).text("ce_time")
    try:
        sent_at = datetime.fromisoformat(stated)
    except ValueError:
        return letter.last_at
    return min(sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC), letter.last_at)


def _replay_entry(identity: RequestIdentity, letter: StoredDeadLetter, number: int) -> AuditEntry:
    return build_entry(
        identity,
        AuditAction.DEAD_LETTER_REPLAYED,
        letter.id,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.record_offset,
        error_type=letter.error_type,
        replay=number,
    )


def parse_dead_letter(record: RawRecord) -> StoredDeadLetter:
    """A record of a dead-letter topic as a dead letter. Never fails: every field has a stand-in."""
    view = HeaderView.of(record.headers)
    service = view.text("dlq_service") or SERVICE_BY_TOPIC.get(record.topic, record.topic)
    last = view.time("dlq_last_at") or view.time("dlq_at") or record_time(record.timestamp)
    return StoredDeadLetter(
        id=f"{_sanitize(service)}:{record.partition}:{record.offset}",
        service=_sanitize(service),
        reason=_sanitize(view.text("dlq_reason")) or "not stated",
        error_type=_sanitize(view.text("dlq_error_type")),
        attempts=_parse_bounded_number(view.text("dlq_attempts"), absent=1, maximum=INT4),
        topic=_sanitize(view.text("dlq_topic")),
        partition=_parse_bounded_number(view.text("dlq_partition"), absent=-1, maximum=INT4),
        record_offset=_parse_bounded_number(view.text("dlq_offset"), absent=-1, maximum=INT8),
        key=record.key,
        headers=tuple(
            (_sanitize(name), value)
            for name, value in record.headers
            if not name.startswith(DLQ_HEADER_PREFIX)
        ),
        null_headers=tuple(filter(None, _sanitize(view.text("dlq_null_headers")).split(","))),
        body=record.value,
        size_bytes=None if record.value is None else _original_size(view, record.value),
        first_at=view.time("dlq_first_at") or last,
        last_at=last,
    )


def _original_size(view: HeaderView, body: bytes) -> int:
    """The size as received, which a letter with a cut body states."""
    return _parse_bounded_number(view.text("dlq_body_bytes"), absent=len(body), maximum=INT4)


def to_text(raw: bytes | None) -> tuple[str | None, str]:
    """Bytes as text where they are text, else in base64; and which it is."""
    if raw is None:
        return None, "null"
    try:
        return raw.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"


def _to_fields(letter: StoredDeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "service": letter.service,
        "type": HeaderView.of(letter.headers).text("ce_type") or None,
        "at": letter.last_at,
        "reason": letter.reason,
        "error_type": letter.error_type,
        "attempts": letter.attempts,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.record_offset,
        "key": to_text(letter.key)[0],
        "first_at": letter.first_at,
        "last_at": letter.last_at,
        "size_bytes": letter.size_bytes,
        "replays": letter.replays,
        "replayed_at": letter.replayed_at,
    }


def _sanitize(text: str) -> str:
    return text.replace("\x00", "")[:2_000]


def _parse_bounded_number(text: str, *, absent: int, maximum: int) -> int:
    try:
        return max(min(int(text[:20]), maximum), -1)
    except ValueError:
        return absent
