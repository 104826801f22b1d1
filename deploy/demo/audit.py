"""Is every feedback event that the agent sent stored once, and used once?

Compares the agent's own client log with what the coordinator holds. Services never read each
other's tables; an auditor has to, or it would only hear what the audited one says of itself.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel, ConfigDict

from shared.postgres.queries import load_queries

_queries = load_queries("deploy.demo")


class FeedbackAudit(BaseModel):
    """Events counted by id. `double` are stored twice, or sent once and stored under two ids."""

    model_config = ConfigDict(frozen=True)

    sent: int
    stored: int
    used: int
    lost: int
    double: int


async def audit_feedback(database_url: str, agent_id: str, sent: Sequence[str]) -> FeedbackAudit:
    """Compare the acknowledged event ids `sent` with the coordinator's store."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = [row async for row in _queries.stored_feedback(connection, agent_id=agent_id)]
    finally:
        await connection.close()
    return count_feedback(sent, [(row["event_id"], row["window_id"]) for row in rows])


def count_feedback(sent: Sequence[str], stored: Sequence[tuple[UUID, Any]]) -> FeedbackAudit:
    """Count what was sent, stored, claimed by a window, lost and doubled."""
    sent_ids = {UUID(event_id) for event_id in sent}
    stored_ids = {event_id for event_id, _ in stored}
    return FeedbackAudit(
        sent=len(sent_ids),
        stored=len(stored),
        used=len({event_id for event_id, window in stored if window is not None}),
        lost=len(sent_ids - stored_ids),
        double=len(stored) - len(stored_ids) + len(stored_ids - sent_ids),
    )
