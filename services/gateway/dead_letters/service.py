"""Dead letters of all services: kept as they came, shown, and replayed on request."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from opentelemetry import metrics

from archon_contracts import telemetry
from archon_contracts.events import AuditAction
from archon_contracts.identifiers import derived_id
from archon_contracts.topics import (
    ALL_TOPICS,
    AUDIT,
    DEAD_LETTER_DAYS,
    REPLAY_DAYS,
    SERVICES,
)
from services.gateway.audit.entries import build_entry
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.dead_letters.letters import (
    SERVICE_BY_TOPIC,
    DeadLetterDetail,
    DeadLetterView,
    StoredDeadLetter,
    find_first_received_at,
    parse_dead_letter,
    to_text,
    to_view_fields,
    with_received_header,
)
from services.gateway.dead_letters.store import DeadLetterStore
from services.gateway.errors import Conflict, NotFound
from shared.audit import AuditEntry, AuditLog
from shared.logging import get_logger
from shared.messaging.messages import RawRecord
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.telemetry.counters import counter_from_zero

log = get_logger(__name__)
refused_counter = counter_from_zero(
    metrics.get_meter(__name__),
    telemetry.METRIC_AUDIT_REFUSED,
    "{entry}",
    *({"service": service} for service in SERVICES),
)

REPLAYABLE: Final = frozenset(t.name for t in ALL_TOPICS) - frozenset(SERVICE_BY_TOPIC)


class DeadLetterService:
    """Takes `tx` and never commits."""

    def __init__(
        self, store: DeadLetterStore, outbox: Outbox, audit: AuditLog, clock: Clock
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def add(self, tx: Tx, record: RawRecord) -> None:
        """Keep a record of a dead-letter topic; the same record again is a no-op.

        An entry of the audit log among them is an alarm: what it says was done, and the copy of
        its chain lacks it until it is replayed.
        """
        letter = parse_dead_letter(record)
        await self._store.add(tx, letter)
        if letter.topic == AUDIT.name:
            log.error("audit_entry_refused", letter=letter.id, reason=letter.reason)
            refused_counter.add(1, {"service": letter.service})

    async def prune(self, tx: Tx) -> None:
        """Delete those that can no longer be replayed."""
        await self._store.prune(tx, keep_days=DEAD_LETTER_DAYS)

    async def newest(
        self, tx: Tx, *, service: str | None, limit: int, offset: int = 0
    ) -> list[DeadLetterView]:
        """The newest dead letters, of one service or all."""
        found = await self._store.newest(tx, service=service, limit=limit, offset=offset)
        return [DeadLetterView(**to_view_fields(letter)) for letter in found]

    async def find(self, tx: Tx, letter_id: str) -> DeadLetterDetail:
        """A dead letter with its headers and body.

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
            **to_view_fields(letter), headers=headers, body=body, body_encoding=encoding
        )

    async def replay(self, tx: Tx, identity: RequestIdentity, letter_id: str) -> int:
        """Send the original bytes and headers to the original topic; returns the replay's number.

        One header is added: when the record first failed, from which its age counts.

        Null headers were dropped on the way here and stay away. A repeated request sends nothing.

        Raises:
            NotFound: no such dead letter.
            Conflict: its topic is none of ours, its body was cut, or it is too old.
        """
        letter = await self._store.find(tx, letter_id)
        if letter is None:
            raise NotFound("dead letter", letter_id)
        cause = identity.cause()
        if await self._audit.has_entry(tx, AuditAction.DEAD_LETTER_REPLAYED, cause=cause):
            return letter.replays
        if find_first_received_at(letter) < self._clock.now() - timedelta(days=REPLAY_DAYS):
            # Services prune their inboxes: one that did handle the record would handle it again.
            raise Conflict(
                f"the record came more than {REPLAY_DAYS} days ago and cannot be replayed"
            )
        if letter.topic not in REPLAYABLE:
            raise Conflict(f"topic {letter.topic!r} cannot be replayed")
        if (letter.size_bytes or 0) > len(letter.body or b""):
            place = f"{letter.topic}/{letter.partition}/{letter.record_offset}"
            raise Conflict(f"its body was too large to keep; the original record is at {place}")
        number = await self._store.count_replay(tx, letter_id)
        # Before the record: the log itself may be the topic that is replayed to, and then the
        # chain's lock comes before the topic's, as in every other transaction.
        await self._audit.append(tx, _replay_entry(identity, letter, number), cause=cause)
        await self._outbox.append_raw(
            tx,
            event_id=derived_id("replay", letter_id, number),
            topic=letter.topic,
            key=(letter.key or b"").decode(errors="replace").replace("\x00", ""),
            headers=with_received_header(letter),
            payload=letter.body,
        )
        return number


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
