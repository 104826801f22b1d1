"""Records of dead-letter topics: the original bytes and headers, and the error.

Kafka refuses records above a size, a megabyte by default, and a letter is larger than its record.
One that no topic takes would stop the relay for ever, so a huge body is cut, and headers beyond a
limit are left out; place and original size stay, so that the record itself can be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.messaging.messages import RawHeaders, RawRecord

# Together below the megabyte that Kafka takes by default, with room for the reasons.
MAXIMUM_BODY_BYTES: Final = 900_000
MAXIMUM_HEADER_BYTES: Final = 50_000
MAXIMUM_KEY_BYTES: Final = 1_000
MAXIMUM_TEXT_LENGTH: Final = 2_000


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A record for a dead-letter topic."""

    key: str
    headers: RawHeaders
    payload: bytes | None


def build_dead_letter(
    record: RawRecord, *, service: str, error: Exception, attempts: int, at: datetime
) -> DeadLetterRecord:
    """The dead letter of a record that `service` could not handle.

    Null header values cannot be distinguished from empty ones by every client, so their names go
    into `dlq_null_headers`. A cut body's size is in `dlq_body_bytes`.
    """
    kept, dropped = _within_limit(record.headers)
    nulls = ",".join(name for name, value in record.headers if value is None)
    body = record.value
    key = (record.key or b"")[:MAXIMUM_KEY_BYTES].decode(errors="replace")
    reasons = {
        "dlq_reason": (str(error) or type(error).__name__)[:MAXIMUM_TEXT_LENGTH],
        "dlq_error_type": type(error).__name__,
        "dlq_attempts": str(attempts),
        "dlq_service": service,
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_key": key,
        "dlq_null_headers": nulls[:MAXIMUM_TEXT_LENGTH],
        "dlq_at": at.isoformat(),
    }
    if body is not None and len(body) > MAXIMUM_BODY_BYTES:
        reasons["dlq_body_bytes"] = str(len(body))
        body = body[:MAXIMUM_BODY_BYTES]
    if dropped:
        reasons["dlq_dropped_headers"] = str(dropped)
    # A lone surrogate in an error's text must not keep the letter from being written.
    own = tuple((name, text.encode(errors="replace")) for name, text in reasons.items())
    # The outbox keeps the key as PostgreSQL's text, which has no NUL.
    return DeadLetterRecord(key.replace("\x00", ""), kept + own, body)


def _within_limit(headers: RawHeaders) -> tuple[RawHeaders, int]:
    """The headers that have a value and fit, in order; and how many did not fit."""
    kept: list[tuple[str, bytes | None]] = []
    left, dropped = MAXIMUM_HEADER_BYTES, 0
    for name, value in headers:
        if value is None:
            continue
        size = len(name.encode(errors="replace")) + len(value)
        if size > left:
            dropped += 1
            continue
        left -= size
        kept.append((name.replace("\x00", "\\x00"), value))  # PostgreSQL's JSON has no NUL
    return tuple(kept), dropped
