"""Typed queries on the curriculum's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from archon_contracts.events import CurriculumPlan
from archon_contracts.rules.task_types import TaskType
from archon_contracts.values import SkillDefinition
from services.curriculum.errors import BrokenPlan
from services.curriculum.levels import Skill
from services.curriculum.mastery import SkillEvidence
from services.curriculum.pacing import LevelProgress
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

MAX_SKILLS: Final = 100
"""Of one agent, those with most items: all of them stand in one event."""


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

    async def find_definitions(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> tuple[SkillDefinition, ...]:
        """The skills of the agent's own policy, as they were planned with last."""
        found = await self._queries.find_definitions(tx, tenant_id=tenant_id, agent_id=agent_id)
        return tuple(SkillDefinition.model_validate(each) for each in found or ())

    async def save_definitions(
        self, tx: Tx, tenant_id: str, agent_id: str, skills: Sequence[SkillDefinition]
    ) -> None:
        """Keep the skills of the agent's own policy."""
        await self._queries.save_definitions(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            skills=[each.model_dump(mode="json") for each in skills],
        )

    async def find_skills(self, tx: Tx, tenant_id: str, agent_id: str) -> list[SkillEvidence]:
        """The evidence on the agent's skills, the largest first."""
        rows = self._queries.find_skills(
            tx, tenant_id=tenant_id, agent_id=agent_id, most=MAX_SKILLS
        )
        return [
            SkillEvidence(
                Skill(row["skill"], TaskType(row["task_type"])),
                row["correct"],
                row["items"],
                row["previous_rate"],
                row["best_rate"],
                row["evaluations"],
            )
            async for row in rows
        ]

    async def save_skills(
        self, tx: Tx, tenant_id: str, agent_id: str, skills: Sequence[SkillEvidence]
    ) -> None:
        """Keep the newest evidence on these skills."""
        await self._queries.save_skills(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            skills=[each.skill.name for each in skills],
            task_types=[each.skill.task_type.value for each in skills],
            correct=[each.correct for each in skills],
            items=[each.items for each in skills],
            previous_rates=[each.previous_rate for each in skills],
            best_rates=[each.best_rate for each in skills],
            evaluations=[each.evaluations for each in skills],
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
