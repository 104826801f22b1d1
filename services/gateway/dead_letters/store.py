"""Dead letters as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archon_contracts.topics import AUDIT
from services.gateway.dead_letters.letters import StoredDeadLetter
from shared.messaging.outbox import decode_headers, encode_headers
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class DeadLetterStore:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add(self, tx: Tx, letter: StoredDeadLetter) -> None:
        await self._queries.insert_dead_letter(
            tx,
            id=letter.id,
            service=letter.service,
            reason=letter.reason,
            error_type=letter.error_type,
            attempts=letter.attempts,
            topic=letter.topic,
            partition=letter.partition,
            record_offset=letter.record_offset,
            key=letter.key,
            headers=encode_headers(letter.headers),
            null_headers=list(letter.null_headers),
            body=letter.body,
            first_at=letter.first_at,
            last_at=letter.last_at,
        )

    async def find(self, tx: Tx, letter_id: str) -> StoredDeadLetter | None:
        row = await self._queries.find_dead_letter(tx, id=letter_id)
        return _letter(row) if row else None

    async def newest(
        self, tx: Tx, *, service: str | None, limit: int, offset: int = 0
    ) -> list[StoredDeadLetter]:
        rows = self._queries.dead_letters(tx, service=service, limit=limit, offset=offset)
        return [_letter(row) async for row in rows]

    async def count_replay(self, tx: Tx, letter_id: str) -> int:
        number: int = await self._queries.count_replay(tx, id=letter_id)
        return number

    async def prune(self, tx: Tx, *, keep_days: int) -> None:
        await self._queries.prune_dead_letters(tx, keep_days=keep_days)

    async def count_refused_audit_entries(self, tx: Tx) -> int:
        """Entries of the audit log that are dead letters: the copy of their chain has a gap."""
        count: int = await self._queries.count_refused_audit_entries(tx, topic=AUDIT.name)
        return count

    async def count_unreplayed(self, tx: Tx) -> dict[str, int]:
        """Dead letters that were never replayed, per service."""
        return {
            row["service"]: row["letters"] async for row in self._queries.count_dead_letters(tx)
        }


def _letter(row: Mapping[str, Any]) -> StoredDeadLetter:
    headers = decode_headers(row["headers"])
    return StoredDeadLetter(
        **{**dict(row), "headers": headers, "null_headers": tuple(row["null_headers"])}
    )
