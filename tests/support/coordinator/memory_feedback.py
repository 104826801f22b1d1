"""Feedback, its statistics and windows in memory."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from archon_contracts.events import JobState
from archon_contracts.identifiers import derived_id
from archon_contracts.triggers import StreamState
from services.coordinator.domain import (
    AgentKey,
    Window,
    WindowClaim,
)
from services.coordinator.feedback.records import (
    FeedbackRow,
    InteractionRow,
    InternalRecord,
    RetractionRow,
)
from services.coordinator.feedback.stats import (
    ANNOTATION,
    FeedbackStats,
    InsertResult,
    NewIds,
    RetractionResult,
    StoredFeedback,
)
from shared.messaging.messages import RawRecord
from tests.support.coordinator.memory_store import MemoryStore
from tests.support.coordinator.memory_windows import StoredRow, stored_feedback
from tests.support.coordinator.memory_withdrawals import MemoryWithdrawals
from tests.support.messaging.messages import NOON


class MemoryFeedback(MemoryWithdrawals):
    """Feedback, its statistics and windows. Passes `tests/contract/coordinator`."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.retractions: dict[tuple[str, UUID], RetractionRow] = {}
        self.internal_traffic: dict[UUID, InternalRecord] = {}
        self.pending_counts: list[bytes] = []
        self.interactions: dict[tuple[AgentKey, UUID], bytes] = {}
        self.open_jobs: dict[AgentKey, UUID] = {}
        self.windows: list[tuple[Window, FeedbackStats, datetime]] = []
        self.claims: dict[UUID, set[UUID]] = {}

    @property
    def claimed(self) -> list[StoredRow]:
        """Rows in windows."""
        return [each for each in self.rows.values() if each.window_id is not None]

    def unused(self, key: AgentKey) -> list[StoredRow]:
        """The agent's rows in no window, oldest first."""
        rows = [each for each in self.rows.values() if each.row.key == key and each.unused]
        return sorted(rows, key=lambda each: each.received_at)

    def stats(self, key: AgentKey) -> FeedbackStats:
        """The counters as they stand."""
        unused = self.unused(key)
        ratings = [each.row.rating for each in unused if each.row.rating is not None]
        return replace(
            self._store.stats[key],
            unused=len(unused),
            rated=len(ratings),
            rating_sum=sum(ratings),
            oldest_unused_at=unused[0].received_at if unused else None,
            busy=key in self.open_jobs,
        )

    def _change(self, key: AgentKey, **fields: Any) -> None:
        """Update the agent's row; nothing where there is none, as an UPDATE."""
        if key in self._store.stats:
            self._store.stats[key] = replace(self._store.stats[key], **fields)

    async def find_configured(self, _tx: object, keys: Collection[AgentKey]) -> set[AgentKey]:
        return {key for key in keys if key in self._store.agents}

    async def lock_all_stats(self, _tx: object, keys: Collection[AgentKey]) -> dict[AgentKey, int]:
        known = [key for key in sorted(keys) if key in self._store.stats]
        return {key: number for number, key in enumerate(known, start=1)}

    async def lock_stats(self, _tx: object, key: AgentKey) -> FeedbackStats | None:
        return self.stats(key) if key in self._store.stats else None

    async def lock_due_stats(self, _tx: object, now: datetime) -> FeedbackStats | None:
        checks = {key: each.check_at for key, each in self._store.stats.items() if each.check_at}
        due = sorted((at, key) for key, at in checks.items() if at <= now)
        return self.stats(due[0][1]) if due else None

    async def set_check(self, _tx: object, key: AgentKey, check_at: datetime | None) -> None:
        self._change(key, check_at=check_at)

    async def set_stream(self, _tx: object, key: AgentKey, stream: StreamState) -> None:
        self._change(key, stream=StreamState.of_json(stream.to_json()))

    async def record_training_seconds(self, _tx: object, key: AgentKey, seconds: float) -> None:
        known = self._store.stats[key].training_seconds
        mean = seconds if known is None else 0.7 * known + 0.3 * seconds
        self._change(key, training_seconds=mean)

    async def set_open_job(self, _tx: object, key: AgentKey, job_id: UUID) -> None:
        self.open_jobs[key] = job_id
        self._change(key, check_at=None, awaits_feedback=False)

    async def count_stored(self, _tx: object, key: AgentKey, event_ids: Collection[UUID]) -> int:
        return len({(key.tenant_id, event_id) for event_id in event_ids} & self.rows.keys())

    async def set_awaits_feedback(self, _tx: object, key: AgentKey, *, awaits: bool) -> None:
        self._change(key, awaits_feedback=awaits, **({"check_at": None} if awaits else {}))

    async def clear_open_job(self, _tx: object, key: AgentKey, job_id: UUID) -> None:
        if self.open_jobs.get(key) == job_id:
            del self.open_jobs[key]

    async def count_unsuccessful_run(self, _tx: object, key: AgentKey, now: datetime) -> None:
        if key in self._store.stats:
            runs = self._store.stats[key].unsuccessful_runs + 1
            self._change(key, unsuccessful_runs=runs, last_unsuccessful_at=now)

    async def reset_unsuccessful_runs(self, _tx: object, key: AgentKey) -> None:
        self._change(key, unsuccessful_runs=0, last_unsuccessful_at=None)

    async def insert_feedback(
        self,
        _tx: object,
        feedback: Sequence[FeedbackRow],
        _agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> InsertResult:
        new: dict[tuple[str, UUID], StoredRow] = {}
        came: set[tuple[str, UUID]] = set()
        renewed_some = False
        for place, row in enumerate(feedback):
            came_as = name = (row.key.tenant_id, row.event_id)
            if name in self.rows and (renewed := self._renewed_id(row)):
                row = row._replace(event_id=renewed)
                renewed_some = True
                name = (row.key.tenant_id, renewed)
            if name not in self.rows and name not in new:
                new[name] = StoredRow(row, received_at + timedelta(microseconds=place))
                came.add(came_as)
        self.rows |= new
        for each in new.values():
            if each.row.correct is False:
                known = self._store.stats[each.row.key].corrections
                self._change(each.row.key, corrections=known + 1)
        changed = {each.row.key for each in new.values()}
        complete = len(new) == len(feedback) and not renewed_some
        return InsertResult(
            len(new), [self.stats(key) for key in changed], None if complete else frozenset(came)
        )

    def _renewed_id(self, row: FeedbackRow) -> UUID | None:
        """The id of what was sent again after it was retracted."""
        offsets = [
            each.offset
            for each in self.retractions.values()
            if (each.key, each.interaction_id, each.source)
            == (row.key, row.interaction_id, row.source)
            and each.submitted_by in (row.submitted_by, "*")
            and each.annotator_id in (row.annotator_id, "")
            and each.offset < row.offset
        ]
        return derived_id("renewed", row.event_id, row.partition, max(offsets)) if offsets else None

    async def insert_interactions(
        self, _tx: object, interactions: Sequence[InteractionRow], _received_at: datetime
    ) -> NewIds | None:
        """That they are stored once is tested on the database."""
        for each in interactions:
            self.interactions.setdefault((each.key, each.event_id), each.body)
        return None

    async def add_pending_counts(self, _tx: object, counts: bytes) -> None:
        self.pending_counts.append(counts)

    async def claim_pending_counts(self, _tx: object, most: int) -> list[bytes]:
        taken, self.pending_counts = self.pending_counts[:most], self.pending_counts[most:]
        return taken

    async def unused_feedback(
        self, _tx: object, keys: Collection[AgentKey]
    ) -> dict[AgentKey, tuple[int, datetime]]:
        return {key: (len(self.unused(key)), NOON) for key in keys if key in self._store.stats}

    async def record_internal_traffic(
        self,
        _tx: object,
        traffic: Sequence[tuple[RawRecord, InternalRecord]],
        _received_at: datetime,
    ) -> int:
        before = len(self.internal_traffic)
        self.internal_traffic |= {each.event_id: each for _, each in traffic}
        return len(self.internal_traffic) - before

    async def retract(
        self, _tx: object, retractions: Sequence[RetractionRow], now: datetime
    ) -> RetractionResult:
        results = [self._retract(each, now) for each in retractions]
        changed = [each.stats for each in results if each.stats]
        return RetractionResult(
            tuple(used for each in results for used in each.claimed_ids),
            changed[-1] if changed else None,
            frozenset().union(*(each.new_ids for each in results)),
        )

    def _retract(self, retraction: RetractionRow, now: datetime) -> RetractionResult:
        name = (retraction.key.tenant_id, retraction.event_id)
        known = self.retractions.get(name)
        if known is not None and known.offset >= retraction.offset:
            return RetractionResult()
        self.retractions[name] = retraction
        named = (retraction.key, retraction.interaction_id, retraction.source)
        erased = [
            each
            for each in self.rows.values()
            if not each.retracted
            and (each.row.key, each.row.interaction_id, each.row.source) == named
            and retraction.submitted_by in (each.row.submitted_by, "*")
            and retraction.annotator_id in (each.row.annotator_id, "")
        ]
        for each in erased:
            each.retracted = True
        used = tuple(
            each.row.event_id
            for each in erased
            if each.window_id is not None or each.update_id is not None or each.returns
        )
        for each in erased:
            if each.row.event_id in used:
                each.withdrawn_at = self._after_preparation(retraction.key, now)
        if used:
            known_ones = self._store.stats[retraction.key].withdrawals
            count = known_ones + len(used)
            self._change(retraction.key, withdrawals=count, withdrawals_wait_until=None)
        changed = any(each.window_id is None and each.waiting_for is None for each in erased)
        stats = self.stats(retraction.key) if changed or used else None
        return RetractionResult(used, stats, frozenset({retraction.event_id}))

    def _after_preparation(self, key: AgentKey, now: datetime) -> datetime:
        """The time of a retraction: after the preparation that the open job has begun."""
        history = self._store.history.get(self.open_jobs.get(key, UUID(int=0)), [])
        begun = [t.occurred_at for t in history if t.to_state is JobState.PREPARING]
        return max([now, *(at + timedelta(microseconds=1) for at in begun)])

    def savepoint(self, _tx: object) -> contextlib.AbstractAsyncContextManager[None]:
        """Nothing is undone."""
        return contextlib.nullcontext()

    async def claim(self, _tx: object, key: AgentKey, window_id: UUID, maximum: int) -> WindowClaim:
        taken = self.unused(key)[:maximum]
        for each in taken:
            each.window_id = window_id
        rows = [each.row for each in taken]
        self.claims[window_id] = {row.event_id for row in rows}
        ratings = [row.rating for row in rows if row.rating is not None]
        labels = [row.correct for row in rows if row.correct is not None]
        ids = "\n".join(sorted(str(row.event_id) for row in rows))
        return WindowClaim(
            feedback_count=len(rows),
            feedback_digest=hashlib.sha256(ids.encode()).hexdigest(),
            rated=len(ratings),
            rating_sum=sum(ratings),
            labelled=len(labels),
            success_rate=sum(labels) / len(labels) if labels else None,
            completed_by=rows[-1].traceparent if rows else None,
        )

    async def insert_window(
        self, _tx: object, window: Window, reference: tuple[int, float], now: datetime
    ) -> None:
        """Keep it with the statistics as they were, so that a test can ask whether it was due."""
        self.windows.append((window, self.stats(window.key), now))
        self._change(
            window.key,
            windows=window.sequence,
            last_window_at=now,
            previous_rated=reference[0],
            previous_rating_sum=reference[1],
        )

    async def window_feedback(
        self, _tx: object, window_id: UUID, *, after: StoredFeedback | None = None, limit: int
    ) -> list[StoredFeedback]:
        found = [
            stored_feedback(each) for each in self._kept(window_id) if each.row.source != ANNOTATION
        ]
        found.sort(key=_place)
        return [each for each in found if after is None or _place(each) > _place(after)][:limit]

    async def interaction_bodies(
        self, _tx: object, key: AgentKey, event_ids: Collection[UUID]
    ) -> dict[UUID, bytes]:
        return {n: self.interactions[key, n] for n in event_ids if (key, n) in self.interactions}

    async def window_annotations(
        self, _tx: object, window_id: UUID, *, after_item: str = "", limit: int
    ) -> list[StoredFeedback]:
        found = [each for each in self._kept(window_id) if each.row.source == ANNOTATION]
        items = {each.row.interaction_id for each in found}
        named = sorted(item for item in items if item > after_item)[:limit]
        found = [each for each in found if each.row.interaction_id in named]
        found.sort(key=lambda each: (each.row.interaction_id, each.received_at, each.row.event_id))
        return [stored_feedback(each) for each in found]

    async def window_contexts(self, _tx: object, window_id: UUID, *, most: int) -> list[str]:
        rows = [each.row for each in reversed(self._in_window(window_id)) if not each.retracted]
        contexts = [row.traceparent for row in rows if row.traceparent]
        return list(dict.fromkeys(contexts))[:most]

    async def open_corrections(
        self, _tx: object, key: AgentKey, *, most: int
    ) -> list[tuple[StoredFeedback, str | None]]:
        rows = [
            each
            for each in reversed(self.unused(key))
            if each.row.correct is False and each.update_id is None
        ]
        return [(stored_feedback(each), each.row.traceparent) for each in rows[:most]]

    async def items_of_raters(self, _tx: object, key: AgentKey, since: datetime) -> dict[str, int]:
        return dict(
            Counter(
                each.rater
                for each in self.rows.values()
                if each.row.key == key and each.updated_at is not None and each.updated_at > since
            )
        )

    async def claim_corrections(
        self,
        _tx: object,
        key: AgentKey,
        update_id: UUID,
        items: Sequence[tuple[UUID, str]],
        now: datetime,
    ) -> None:
        for event_id, rater in items:
            row = self.rows[key.tenant_id, event_id]
            row.update_id, row.rater, row.updated_at = update_id, rater, now

    async def record_update(
        self, _tx: object, key: AgentKey, *, sequence: int, corrections: int
    ) -> None:
        self._change(key, updates=sequence, corrections=corrections)

    async def update_feedback(self, _tx: object, update_id: UUID) -> list[StoredFeedback]:
        rows = [each for each in self.rows.values() if each.update_id == update_id]
        rows.sort(key=lambda each: each.received_at)
        return [stored_feedback(each) for each in rows if not each.retracted]

    async def count_refused_update(self, _tx: object, key: AgentKey, now: datetime) -> None:
        if key in self._store.stats:
            refused = self._store.stats[key].refused_updates + 1
            self._change(key, refused_updates=refused, last_refused_update_at=now)

    async def reset_refused_updates(self, _tx: object, key: AgentKey) -> None:
        self._change(key, refused_updates=0, last_refused_update_at=None)


def _place(stored: StoredFeedback) -> tuple[datetime, UUID]:
    return stored.received_at, stored.event_id
