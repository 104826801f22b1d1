"""How windows end, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.coordinator.domain import AgentKey, UnlearntFeedback, WindowOutcome
from services.coordinator.feedback.records import FeedbackRow
from services.coordinator.feedback.stats import StoredFeedback
from tests.support.coordinator.memory_store import MemoryStore


@dataclass(slots=True)
class StoredRow:
    """A feedback row and what became of it."""

    row: FeedbackRow
    received_at: datetime
    window_id: UUID | None = None
    retracted: bool = False
    update_id: UUID | None = None
    rater: str = ""
    updated_at: datetime | None = None
    returns: int = 0
    waiting_for: str | None = None
    left: set[UUID] = field(default_factory=set)
    """Windows that gave it back."""
    withdrawn_at: datetime | None = None
    tries: int = 0

    @property
    def unused(self) -> bool:
        """Whether the next window may claim it."""
        return self.window_id is None and not self.retracted and self.waiting_for is None


class MemoryWindowEnds:
    """Feedback rows, and what became of the windows that had them."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.rows: dict[tuple[str, UUID], StoredRow] = {}
        self.outcomes: dict[UUID, tuple[WindowOutcome, str]] = {}

    async def learnt_by_updates(
        self, _tx: object, key: AgentKey, window_id: UUID
    ) -> frozenset[UUID]:
        own = [job for job in self._store.jobs.values() if job.key == key]
        versions, updates = set[str](), set[UUID]()
        deployed = self._store.agents[key].deployed if key in self._store.agents else None
        next_ones = {deployed.version} if deployed else set()
        while next_ones:
            versions |= next_ones
            facts = [
                job.facts for job in own if job.facts.model and job.facts.model.version in next_ones
            ]
            updates |= {
                each.window.window_id
                for each in facts
                if each.window and each.window.fast_path
                if each.dataset and each.dataset.left_out == 0
            }
            next_ones = {each.warm_start.version for each in facts if each.warm_start} - versions
        return frozenset(
            each.row.event_id for each in self._kept(window_id) if each.update_id in updates
        )

    async def return_feedback(
        self,
        _tx: object,
        _key: AgentKey,
        window_id: UUID,
        *,
        maximum_returns: int,
        by_hand: bool,
        learnt: Collection[UUID] = (),
    ) -> int:
        held = [each for each in self._kept(window_id) if each.row.event_id not in learnt]
        returned = [each for each in held if by_hand or each.returns < maximum_returns]
        for each in returned:
            each.window_id, each.returns = None, 1 if by_hand else each.returns + 1
            each.left.add(window_id)
        return len(returned)

    async def set_waiting(self, _tx: object, window_id: UUID, waiting: Mapping[UUID, str]) -> None:
        for each in self._in_window(window_id):
            if each.row.event_id in waiting and not each.retracted:
                each.window_id, each.waiting_for = None, waiting[each.row.event_id]
                each.left.add(window_id)

    async def release_waiting(
        self, _tx: object, key: AgentKey, answers: Collection[str] | None
    ) -> int:
        waiting = [r for r in self.rows.values() if r.row.key == key and r.waiting_for is not None]
        due = [each for each in waiting if answers is None or each.waiting_for in answers]
        for each in due:
            each.waiting_for = None
        return len([each for each in due if not each.retracted])

    async def unlearnt_feedback(
        self, _tx: object, window_id: UUID, *, learnt: Collection[UUID] = ()
    ) -> UnlearntFeedback:
        held = [each for each in self._kept(window_id) if each.row.event_id not in learnt]
        return UnlearntFeedback(len(held), tuple(each.row.event_id for each in held[:1000]))

    async def end_window(
        self, _tx: object, window_id: UUID, outcome: WindowOutcome, reason: str, _now: datetime
    ) -> None:
        self.outcomes[window_id] = (outcome, reason)

    async def window_outcome(self, _tx: object, window_id: UUID) -> WindowOutcome | None:
        return self.outcomes[window_id][0] if window_id in self.outcomes else None

    async def window_of_version(
        self, _tx: object, key: AgentKey, version: str
    ) -> tuple[UUID, WindowOutcome | None] | None:
        jobs = [
            job
            for job in self._store.jobs.values()
            if job.key == key and job.facts.model and job.facts.model.version == version
        ]
        newest = max(jobs, key=lambda job: job.created_at, default=None)
        # An update of the fast path has no window of its own.
        if newest is None or newest.facts.window is None or newest.is_update:
            return None
        window_id = newest.facts.window.window_id
        return window_id, await self.window_outcome(None, window_id)

    async def reclaim_feedback(self, _tx: object, _key: AgentKey, window_id: UUID) -> int:
        left = [each for each in self.rows.values() if window_id in each.left and each.unused]
        taken = [each for each in left if each.returns]
        for each in taken:
            each.window_id = window_id
            each.left.discard(window_id)
        return len(taken)

    def _in_window(self, window_id: UUID) -> list[StoredRow]:
        rows = [each for each in self.rows.values() if each.window_id == window_id]
        return sorted(rows, key=lambda each: each.received_at)

    def _kept(self, window_id: UUID) -> list[StoredRow]:
        return [each for each in self._in_window(window_id) if not each.retracted]


def stored_feedback(each: StoredRow) -> StoredFeedback:
    """The row as the stores give it."""
    row = each.row
    return StoredFeedback(
        row.event_id,
        row.source,
        row.rating,
        each.received_at,
        row.body,
        row.submitted_by,
        row.interaction_id,
    )
