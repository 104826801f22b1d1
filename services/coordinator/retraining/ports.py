"""What retraining needs of stores. Each has a fake that passes the same behaviour suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from archon_contracts.triggers import StreamState
from archon_contracts.values import ArtifactRef, ModelRef
from services.coordinator.domain import (
    AgentKey,
    ConfiguredAgent,
    Job,
    TrainedVersion,
    UnlearntFeedback,
    Window,
    WindowClaim,
    WindowOutcome,
    WithdrawnItem,
)
from services.coordinator.feedback.stats import FeedbackStats, StoredFeedback
from shared.postgres.database import Tx


class StatsStore(Protocol):
    """Feedback statistics; each row says whether its agent is busy."""

    async def lock_stats(self, tx: Tx, key: AgentKey) -> FeedbackStats | None: ...

    async def lock_due_stats(self, tx: Tx, now: datetime) -> FeedbackStats | None: ...

    async def set_check(self, tx: Tx, key: AgentKey, check_at: datetime | None) -> None: ...

    async def set_stream(self, tx: Tx, key: AgentKey, stream: StreamState) -> None: ...

    async def record_training_seconds(self, tx: Tx, key: AgentKey, seconds: float) -> None: ...

    async def set_open_job(self, tx: Tx, key: AgentKey, job_id: UUID) -> None: ...

    async def clear_open_job(self, tx: Tx, key: AgentKey, job_id: UUID) -> None: ...

    async def count_unsuccessful_run(self, tx: Tx, key: AgentKey, now: datetime) -> None: ...

    async def reset_unsuccessful_runs(self, tx: Tx, key: AgentKey) -> None: ...

    def savepoint(self, tx: Tx) -> AbstractAsyncContextManager[None]: ...


class RequestedJobs(Protocol):
    """Agents, and the jobs that were requested."""

    async def find_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None: ...

    def find_agents(self, tx: Tx, keys: Collection[AgentKey]) -> AsyncIterator[ConfiguredAgent]: ...

    async def find_version(self, tx: Tx, key: AgentKey, version: str) -> ModelRef | None: ...

    async def lock_next_requested(self, tx: Tx, key: AgentKey) -> Job | None: ...


class AwaitedRecords(Protocol):
    """Feedback that a request names. The caller holds the statistics' lock."""

    async def count_stored(self, tx: Tx, key: AgentKey, event_ids: Collection[UUID]) -> int: ...

    async def set_awaits_feedback(self, tx: Tx, key: AgentKey, *, awaits: bool) -> None: ...


class WindowFeedback(Protocol):
    """The feedback of windows. Whoever claims holds the statistics' lock."""

    async def claim(self, tx: Tx, key: AgentKey, window_id: UUID, maximum: int) -> WindowClaim: ...

    async def insert_window(
        self, tx: Tx, window: Window, reference: tuple[int, float], now: datetime
    ) -> None: ...

    async def window_feedback(
        self, tx: Tx, window_id: UUID, *, after: StoredFeedback | None = None, limit: int
    ) -> list[StoredFeedback]: ...

    async def interaction_bodies(
        self, tx: Tx, key: AgentKey, event_ids: Collection[UUID]
    ) -> dict[UUID, bytes]: ...

    async def window_annotations(
        self, tx: Tx, window_id: UUID, *, after_item: str = "", limit: int
    ) -> list[StoredFeedback]: ...

    async def window_contexts(self, tx: Tx, window_id: UUID, *, most: int) -> list[str]: ...


class Corrections(Protocol):
    """The feedback of the fast path. Whoever claims holds the statistics' lock."""

    async def open_corrections(
        self, tx: Tx, key: AgentKey, *, most: int
    ) -> list[tuple[StoredFeedback, str | None]]: ...

    async def items_of_raters(self, tx: Tx, key: AgentKey, since: datetime) -> dict[str, int]: ...

    async def claim_corrections(
        self,
        tx: Tx,
        key: AgentKey,
        update_id: UUID,
        items: Sequence[tuple[UUID, str]],
        now: datetime,
    ) -> None: ...

    async def record_update(
        self, tx: Tx, key: AgentKey, *, sequence: int, corrections: int
    ) -> None: ...

    async def update_feedback(self, tx: Tx, update_id: UUID) -> list[StoredFeedback]: ...

    async def count_refused_update(self, tx: Tx, key: AgentKey, now: datetime) -> None: ...

    async def reset_refused_updates(self, tx: Tx, key: AgentKey) -> None: ...


class WindowRecords(Protocol):
    """How windows end. Whoever ends one holds the statistics' lock."""

    async def learnt_by_updates(
        self, tx: Tx, key: AgentKey, window_id: UUID
    ) -> frozenset[UUID]: ...

    async def return_feedback(
        self,
        tx: Tx,
        key: AgentKey,
        window_id: UUID,
        *,
        maximum_returns: int,
        by_hand: bool,
        learnt: Collection[UUID] = (),
    ) -> int: ...

    async def set_waiting(self, tx: Tx, window_id: UUID, waiting: Mapping[UUID, str]) -> None: ...

    async def release_waiting(
        self, tx: Tx, key: AgentKey, answers: Collection[str] | None
    ) -> int: ...

    async def unlearnt_feedback(
        self, tx: Tx, window_id: UUID, *, learnt: Collection[UUID] = ()
    ) -> UnlearntFeedback: ...

    async def end_window(
        self, tx: Tx, window_id: UUID, outcome: WindowOutcome, reason: str, now: datetime
    ) -> None: ...

    async def window_outcome(self, tx: Tx, window_id: UUID) -> WindowOutcome | None: ...

    async def window_of_version(
        self, tx: Tx, key: AgentKey, version: str
    ) -> tuple[UUID, WindowOutcome | None] | None: ...

    async def reclaim_feedback(self, tx: Tx, key: AgentKey, window_id: UUID) -> int: ...


class WithdrawalRecords(Protocol):
    """Retracted feedback that versions may hold. The caller holds the statistics' lock."""

    async def withdrawn_items(self, tx: Tx, key: AgentKey, *, most: int) -> list[WithdrawnItem]: ...

    async def trained_versions(self, tx: Tx, key: AgentKey) -> list[TrainedVersion]: ...

    async def count_try(
        self, tx: Tx, key: AgentKey, event_ids: Sequence[UUID], sequence: int
    ) -> None: ...

    async def give_up_tried(self, tx: Tx, key: AgentKey, tries: int) -> None: ...

    async def reset_tries(self, tx: Tx, key: AgentKey) -> None: ...

    async def set_withdrawals(self, tx: Tx, key: AgentKey, count: int) -> None: ...

    async def delay_withdrawals(self, tx: Tx, key: AgentKey, until: datetime) -> None: ...

    async def mark_withdrawals(self, tx: Tx, key: AgentKey) -> None: ...


class ArtifactStore(Protocol):
    """Content-addressed folders."""

    async def publish(self, folder: Path) -> ArtifactRef: ...

    async def read(self, ref: ArtifactRef, name: str) -> bytes: ...
