"""Rows of benchmarks, and what they are made from: one method per query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.commands import RunBenchmark
from archon_contracts.events import FeedbackCounts
from archon_contracts.events.benchmarks import CANCELLED
from archon_contracts.values import AgentProfile
from services.gateway.domain import BenchmarkView
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class BenchmarkStore:
    """Takes `tx` and never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add_request(self, tx: Tx, command: RunBenchmark, at: datetime) -> None:
        await self._queries.save_benchmark_request(
            tx,
            benchmark_id=command.benchmark_id,
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            mode=command.mode,
            request=command.to_json(),
            at=at,
        )

    async def count_open(self, tx: Tx, tenant_id: str, except_id: UUID, since: datetime) -> int:
        """Benchmarks since then that have not ended, but for one."""
        count: int = await self._queries.count_open_benchmarks(
            tx, tenant_id=tenant_id, except_id=except_id, since=since
        )
        return count

    async def find(self, tx: Tx, tenant_id: str, benchmark_id: UUID) -> BenchmarkView | None:
        row = await self._queries.find_benchmark(tx, tenant_id=tenant_id, benchmark_id=benchmark_id)
        return None if row is None else BenchmarkView(**dict(row), state=_state_of(dict(row)))

    async def agent_profile(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentProfile | None:
        found = await self._queries.agent_profile(tx, tenant_id=tenant_id, agent_id=agent_id)
        return None if found is None else AgentProfile.model_validate(found)

    async def version_feedback(
        self, tx: Tx, tenant_id: str, agent_id: str, versions: Sequence[str]
    ) -> dict[str, FeedbackCounts]:
        """Counters of the production feedback on versions; one without any is not in it."""
        rows = self._queries.version_feedback(
            tx, tenant_id=tenant_id, agent_id=agent_id, versions=list(versions)
        )
        found = [dict(row) async for row in rows]
        return {
            row["version"]: FeedbackCounts(
                hour=row.pop("since"), model_version=row["version"], **row
            )
            for row in found
        }


def _state_of(row: dict[str, Any]) -> str:
    if row["failure"] is not None:
        return "cancelled" if row["failure"]["error_type"] == CANCELLED else "failed"
    if row["result"] is not None:
        return "completed"
    return "requested" if row["progress"] is None else "running"
