"""Dead letters: read from their topics, and as the API shows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from archon_contracts.envelope import HeaderView, record_time
from archon_contracts.topics import DEAD_LETTER_TOPICS
from services.gateway.http.numbers import read_whole_number
from shared.messaging.messages import RawHeaders, RawRecord

DLQ_HEADER_PREFIX: Final = "dlq_"
RECEIVED_HEADER: Final = "ce_receivedat"
"""Added by a replay: when the record first failed, which a further failure does not know."""
# Whoever writes to a topic writes its headers: numbers are cut to what the columns hold.
INT4: Final = 2**31 - 1
INT8: Final = 2**63 - 1
SERVICE_BY_TOPIC: Final = {
    topic.name: topic.name.removeprefix("archon.").removesuffix(".dead-letter.v1")
    for topic in DEAD_LETTER_TOPICS
}


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
    """A dead letter in the list."""

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


def find_first_received_at(letter: StoredDeadLetter) -> datetime:
    """When the record first failed; a replay says so of those before it, in RECEIVED_HEADER.

    Its `ce_time` does not count: that is the sender's word, and a backfill's is a year old.
    """
    failed_at = min(letter.first_at, letter.last_at)
    stated = HeaderView.of(letter.headers).text(RECEIVED_HEADER)
    try:
        received_at = datetime.fromisoformat(stated)
    except ValueError:
        return failed_at
    return min(received_at if received_at.tzinfo else received_at.replace(tzinfo=UTC), failed_at)


def with_received_header(letter: StoredDeadLetter) -> RawHeaders:
    """The original headers, and when the record first failed."""
    kept = tuple(each for each in letter.headers if each[0] != RECEIVED_HEADER)
    return *kept, (RECEIVED_HEADER, find_first_received_at(letter).isoformat().encode())


def parse_dead_letter(record: RawRecord) -> StoredDeadLetter:
    """A record of a dead-letter topic as a dead letter. Never fails: every field has a default."""
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


def to_view_fields(letter: StoredDeadLetter) -> dict[str, Any]:
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
    number = read_whole_number(text[:19])
    return absent if number is None else max(min(number, maximum), -1)
