"""Rows of log analyses: one method per query."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.events import (
    FeedbackErased,
    LogAnalysisFailed,
    LogAnalysisProgressed,
    LogsAnalyzed,
)
from services.gateway.domain import LogAnalysisView
from services.gateway.functions.erased_quotes import erase_quotes
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
        completed, content = isinstance(event, LogsAnalyzed), event.to_json()
        erased = await self._queries.erased_interactions(
            tx, tenant_id=event.tenant_id, analysis_id=event.analysis_id
        )
        if completed and erased:
            content = erase_quotes(content, erased)
        await self._queries.save_log_analysis_end(
            tx,
            analysis_id=event.analysis_id,
            tenant_id=event.tenant_id,
            result=content if completed else None,
            failure=None if completed else content,
            at=at,
        )

    async def erase_quotes(self, tx: Tx, event: FeedbackErased) -> None:
        """Erase what analyses of the agent quote of retracted feedback, also those that run."""
        place = {"tenant_id": event.tenant_id, "agent_id": event.agent_id}
        await self._queries.add_erased_interactions(
            tx, **place, interaction_ids=list(event.interaction_ids)
        )
        # A month's analyses of one agent: few, as each is asked for.
        rows = [dict(row) async for row in self._queries.log_analysis_results(tx, **place)]
        for row in rows:
            kept = erase_quotes(row["result"], event.interaction_ids)
            if kept != row["result"]:
                await self._queries.replace_log_analysis_result(
                    tx, tenant_id=event.tenant_id, analysis_id=row["analysis_id"], result=kept
                )


def _state_of(row: dict[str, Any]) -> str:
    if row["failure"] is not None:
        return "failed"
    if row["result"] is not None:
        return "completed"
    return "requested" if row["progress"] is None else "running"
