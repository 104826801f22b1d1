"""What the curriculum's use case needs of its store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from archon_contracts.events import CurriculumPlan
from archon_contracts.values import SkillDefinition
from services.curriculum.mastery import SkillEvidence
from services.curriculum.pacing import LevelProgress
from shared.postgres.database import Tx


class LevelStore(Protocol):
    """Levels and skills of agents, and plans of jobs; never commits."""

    async def lock_progress(self, tx: Tx, tenant_id: str, agent_id: str) -> LevelProgress: ...
    async def save_progress(
        self, tx: Tx, tenant_id: str, agent_id: str, progress: LevelProgress
    ) -> None: ...
    async def find_definitions(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> tuple[SkillDefinition, ...]: ...
    async def save_definitions(
        self, tx: Tx, tenant_id: str, agent_id: str, skills: Sequence[SkillDefinition]
    ) -> None: ...
    async def find_skills(self, tx: Tx, tenant_id: str, agent_id: str) -> list[SkillEvidence]: ...
    async def save_skills(
        self, tx: Tx, tenant_id: str, agent_id: str, skills: Sequence[SkillEvidence]
    ) -> None: ...
    async def find_plan(self, tx: Tx, tenant_id: str, job_id: UUID) -> CurriculumPlan | None: ...
    async def insert_plan(
        self, tx: Tx, tenant_id: str, job_id: UUID, agent_id: str, plan: CurriculumPlan
    ) -> None: ...
