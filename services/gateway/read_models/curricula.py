"""Curricula of all agents: written from the curriculum's events, read by a route."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from archon_contracts.events import (
    CurriculumMeasured,
    CurriculumPlanned,
    LevelAdvanced,
    LevelRegressed,
)
from services.gateway.views.curriculum import CurriculumView
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

UNMEASURED: Final = "nothing was measured yet: no job has been planned or evaluated"


class CurriculumReadModel:
    """Takes `tx` and never commits. Events that come again change nothing."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def save_measure(self, tx: Tx, event: CurriculumMeasured, at: datetime) -> None:
        """Keep what is known of an agent's level and skills now."""
        await self._queries.save_curriculum_measure(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            measured=event.to_json(),
            at=at,
        )

    async def save_plan(self, tx: Tx, event: CurriculumPlanned, at: datetime) -> None:
        """Keep the plan of an agent's newest job."""
        await self._queries.save_curriculum_plan(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            plan=event.plan.model_dump(mode="json"),
            job_id=event.job_id,
            at=at,
        )

    async def save_change(
        self, tx: Tx, event: LevelAdvanced | LevelRegressed, at: datetime
    ) -> None:
        """Keep the newest change of an agent's level."""
        await self._queries.save_level_change(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            change=event.to_json(),
            at=at,
        )

    async def find(self, tx: Tx, tenant_id: str, agent_id: str) -> CurriculumView:
        """An agent's curriculum; before any event of it, the lowest level without evidence."""
        row = await self._queries.find_curriculum(tx, tenant_id=tenant_id, agent_id=agent_id)
        if row is None:
            return CurriculumView(agent_id=agent_id, reason=UNMEASURED)
        found: dict[str, Any] = {"reason": UNMEASURED} | (row["measured"] or {})
        change = row["level_change"]
        found |= {
            "agent_id": agent_id,
            "measured_at": row["measured_at"],
            "plan": row["plan"],
            "planned_for": row["planned_for"],
            "planned_at": row["planned_at"],
            "last_change": change and {**change, "changed_at": row["changed_at"]},
        }
        return CurriculumView.model_validate(found)
