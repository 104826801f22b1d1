"""A monitor of an outbox that nobody polls: it knows only the backlogs that a test gives it."""

from __future__ import annotations

from services.gateway.load.load_shedding import OutboxMonitor
from services.gateway.load.outbox_backlog import OutboxLimits
from services.gateway.load.store import OutboxBacklogStore
from shared.postgres.database import Database


def build_unpolled_monitor(*, backlog_limit: int) -> OutboxMonitor:
    """Its database is never opened."""
    limits = OutboxLimits(age_seconds=10, backlog=backlog_limit)
    return OutboxMonitor(Database("", "gateway"), OutboxBacklogStore(), limits)
