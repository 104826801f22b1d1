"""Retracted feedback that versions may hold, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from archon_contracts.events import JobState
from archon_contracts.metric_names import CLOSED_FORM, FINE_TUNED_CHOSEN
from archon_contracts.values import AgentKind
from services.coordinator.domain import AgentKey, Job, TrainedVersion, WithdrawnItem
from tests.support.coordinator.memory_windows import MemoryWindowEnds, StoredRow


class MemoryWithdrawals(MemoryWindowEnds):
    """Passes `tests/contract/coordinator/test_withdrawal_store.py`."""

    async def withdrawn_items(
        self, _tx: object, key: AgentKey, *, most: int
    ) -> list[WithdrawnItem]:
        found = [
            WithdrawnItem(
                each.row.event_id,
                each.withdrawn_at,
                frozenset({each.window_id, each.update_id, *each.left} - {None}),
                each.tries,
            )
            for each in self._withdrawn(key)
            if each.withdrawn_at
        ]
        return sorted(found, key=lambda item: item.withdrawn_at, reverse=True)[:most]

    async def trained_versions(self, _tx: object, key: AgentKey) -> list[TrainedVersion]:
        jobs = [job for job in self._store.jobs.values() if job.key == key and job.facts.model]
        return [self._version(job) for job in jobs]

    def _version(self, job: Job) -> TrainedVersion:
        facts = job.facts
        assert facts.model is not None, "only jobs with a version"
        compared = facts.evaluation.compared_with if facts.evaluation else None
        metrics = facts.candidate.metrics if facts.candidate else {}
        history = self._store.history[job.job_id]
        return TrainedVersion(
            version=facts.model.version,
            parent=facts.warm_start.version if facts.warm_start else compared,
            holder=facts.window.window_id if facts.window else None,
            is_from_base=facts.warm_start is None,
            is_closed_form=metrics[CLOSED_FORM] == 1
            if CLOSED_FORM in metrics
            else self._store.agents[job.key].profile.kind is AgentKind.CLASSIFIER
            and not metrics.get(FINE_TUNED_CHOSEN),
            prepared_at=max(t.occurred_at for t in history if t.to_state is JobState.PREPARING),
            is_withdrawal=facts.withdrawal is not None,
        )

    async def count_try(
        self, _tx: object, key: AgentKey, event_ids: Sequence[UUID], sequence: int
    ) -> None:
        for each in self._withdrawn(key):
            each.tries += each.row.event_id in event_ids
        self._store.stats[key] = replace(
            self._store.stats[key], updates=sequence, withdrawals_wait_until=None
        )

    async def give_up_tried(self, _tx: object, key: AgentKey, tries: int) -> None:
        for each in self._withdrawn(key):
            each.tries = tries if each.tries else 0

    async def reset_tries(self, _tx: object, key: AgentKey) -> None:
        for each in self._withdrawn(key):
            each.tries = 0

    async def set_withdrawals(self, _tx: object, key: AgentKey, count: int) -> None:
        self._store.stats[key] = replace(
            self._store.stats[key], withdrawals=count, withdrawals_wait_until=None
        )

    async def delay_withdrawals(self, _tx: object, key: AgentKey, until: datetime) -> None:
        self._store.stats[key] = replace(self._store.stats[key], withdrawals_wait_until=until)

    async def mark_withdrawals(self, _tx: object, key: AgentKey) -> None:
        if key in self._store.stats:
            count = len(self._withdrawn(key))
            self._store.stats[key] = replace(
                self._store.stats[key], withdrawals=count, withdrawals_wait_until=None
            )

    def _withdrawn(self, key: AgentKey) -> list[StoredRow]:
        return [each for each in self.rows.values() if each.row.key == key and each.withdrawn_at]
