"""Rows of log analyses: one method per query."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.events import LogAnalysisFailed, LogAnalysisProgressed, LogsAnalyzed
from services.gateway.domain import LogAnalysisView
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class LogAnalysisStore:
    """Takes `tx` and never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add_request(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        analysis_id: UUID,
        request: dict[str, Any],
        at: datetime,
    ) -> None:
        await self._queries.save_log_analysis_request(
            tx,
            analysis_id=analysis_id,
            tenant_id=tenant_id,
            agent_id=agent_id,
            request=request,
            at=at,
        )

    async def prune(self, tx: Tx, tenant_id: str, before: datetime) -> None:
        """Delete older ones: they quote what users wrote."""
        await self._queries.prune_log_analyses(tx, tenant_id=tenant_id, before=before)

    async def count_open(self, tx: Tx, tenant_id: str, except_id: UUID, since: datetime) -> int:
        """Analyses since then that have not ended, but for one."""
        count: int = await self._queries.count_open_log_analyses(
            tx, tenant_id=tenant_id, except_id=except_id, since=since
        )
        return count

    async def find(self, tx: Tx, tenant_id: str, analysis_id: UUID) -> LogAnalysisView | None:
        row = await self._queries.find_log_analysis(
            tx, tenant_id=tenant_id, analysis_id=analysis_id
        )
        return None if row is None else LogAnalysisView(**dict(row), state=_state_of(dict(row)))

    async def save_progress(self, tx: Tx, event: LogAnalysisProgressed) -> None:
        await self._queries.save_log_analysis_progress(
            tx,
            analysis_id=event.analysis_id,
            tenant_id=event.tenant_id,
            progress=event.to_json(),
        )

    async def save_end(self, tx: Tx, event: LogsAnalyzed | LogAnalysisFailed, at: datetime) -> None:
        completed = isinstance(event, LogsAnalyzed)
        await self._queries.save_log_analysis_end(
            tx,
            analysis_id=event.analysis_id,
            tenant_id=event.tenant_id,
            result=event.to_json() if completed else None,
            failure=None if completed else event.to_json(),
            at=at,
        )


def _state_of(row: dict[str, Any]) -> str:
    if row["failure"] is not None:
        return "failed"
    if row["result"] is not None:
        return "completed"
    return "requested" if row["progress"] is None else "running"
