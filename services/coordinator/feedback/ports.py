"""What the intake of feedback needs of its store, the outbox and the triggers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.triggers import ObservedAnswer
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.records import (
    FeedbackRow,
    InteractionRow,
    InternalRecord,
    RetractionRow,
)
from services.coordinator.feedback.stats import (
    FeedbackStats,
    InsertResult,
    NewIds,
    RetractionResult,
)
from shared.messaging.messages import Cause, RawRecord
from shared.postgres.database import Tx


class FeedbackRecords(Protocol):
    """Feedback and its statistics; each method is one statement, whatever the batch's size."""

    async def lock_all_stats(self, tx: Tx, keys: Collection[AgentKey]) -> dict[AgentKey, int]: ...

    async def insert_feedback(
        self,
        tx: Tx,
        feedback: Sequence[FeedbackRow],
        agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> InsertResult: ...

    async def insert_interactions(
        self, tx: Tx, interactions: Sequence[InteractionRow], received_at: datetime
    ) -> NewIds | None: ...

    async def retract(
        self, tx: Tx, retractions: Sequence[RetractionRow], now: datetime
    ) -> RetractionResult: ...

    async def record_internal_traffic(
        self,
        tx: Tx,
        traffic: Sequence[tuple[RawRecord, InternalRecord]],
        received_at: datetime,
    ) -> int: ...

    async def add_pending_counts(self, tx: Tx, counts: bytes) -> None: ...


class PendingCounts(Protocol):
    """Counts of committed transactions that are not published yet."""

    async def claim_pending_counts(self, tx: Tx, most: int) -> list[bytes]: ...

    async def unused_feedback(
        self, tx: Tx, keys: Collection[AgentKey]
    ) -> dict[AgentKey, tuple[int, datetime]]: ...


class FeedbackOutbox(Protocol):
    """Queues commands, and rejected records with their reasons."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...

    async def append_all(self, tx: Tx, bodies: Sequence[Contract], *, cause: Cause) -> None: ...

    async def append_dead_letter(
        self, tx: Tx, record: RawRecord, *, error: Exception, attempts: int
    ) -> bool: ...


class Triggers(Protocol):
    """Begins a retrain for each agent whose statistics make one due."""

    async def evaluate_triggers(
        self,
        tx: Tx,
        changed: Sequence[FeedbackStats],
        answers: Mapping[AgentKey, Sequence[ObservedAnswer]],
    ) -> None: ...

    async def evaluate_withdrawal(self, tx: Tx, stats: FeedbackStats) -> None: ...


class AgentNames(Protocol):
    """Agents as configured."""

    async def find_configured(self, tx: Tx, keys: Collection[AgentKey]) -> set[AgentKey]: ...
