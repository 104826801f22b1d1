"""Typed queries on the curriculum's tables."""

from __future__ import annotations

from uuid import UUID

from pydantic import ValidationError

from archon_contracts.events import CurriculumPlan
from services.curriculum.errors import BrokenPlan
from services.curriculum.pacing import LevelProgress
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class CurriculumStore:
    """Levels and plans. Never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.curriculum")

    async def lock_progress(self, tx: Tx, tenant_id: str, agent_id: str) -> LevelProgress:
        """Where the agent stands, locked until the transaction ends."""
        row = await self._queries.lock_progress(tx, tenant_id=tenant_id, agent_id=agent_id)
        return LevelProgress(row["level"], row["correct_answers"], row["rated_answers"])

    async def save_progress(
        self, tx: Tx, tenant_id: str, agent_id: str, progress: LevelProgress
    ) -> None:
        """Keep where the agent stands now."""
        await self._queries.save_progress(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            level=progress.level,
            correct_answers=progress.correct,
            rated_answers=progress.rated,
        )

    async def find_plan(self, tx: Tx, tenant_id: str, job_id: UUID) -> CurriculumPlan | None:
        """The plan of a job, if it has one.

        Raises:
            BrokenPlan: what is stored does not fit the contract.
        """
        plan = await self._queries.find_plan(tx, tenant_id=tenant_id, job_id=job_id)
        try:
            return CurriculumPlan.model_validate(plan) if plan else None
        except ValidationError as error:
            raise BrokenPlan(f"the stored plan of job {job_id} cannot be read") from error

    async def insert_plan(
        self, tx: Tx, tenant_id: str, job_id: UUID, agent_id: str, plan: CurriculumPlan
    ) -> None:
        """Keep the plan of a job."""
        await self._queries.insert_plan(
            tx,
            tenant_id=tenant_id,
            job_id=job_id,
            agent_id=agent_id,
            plan=plan.model_dump(mode="json"),
        )
