"""Commands to the curriculum service, and its store in memory."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import CurriculumPlan
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, SkillDefinition, TrainingMethod
from services.curriculum.mastery import SkillEvidence
from services.curriculum.pacing import LevelProgress


def plan_curriculum(**fields: Any) -> PlanCurriculum:
    """The command to plan a new job."""
    values = {
        "agent_id": "picker",
        "job_id": new_id(),
        "kind": AgentKind.SELECTOR,
        "method": TrainingMethod.CONTINUAL,
        "new_items": 200,
    }
    return PlanCurriculum(**(values | fields))


class FakeLevelStore:
    """Levels and plans in dictionaries."""

    def __init__(self) -> None:
        self.agents: dict[tuple[str, str], LevelProgress] = {}
        self.plans: dict[tuple[str, UUID], CurriculumPlan] = {}
        self.definitions: dict[tuple[str, str], tuple[SkillDefinition, ...]] = {}
        self.skills: dict[tuple[str, str], dict[str, SkillEvidence]] = {}

    async def lock_progress(self, _tx: object, tenant_id: str, agent_id: str) -> LevelProgress:
        return self.agents.setdefault((tenant_id, agent_id), LevelProgress())

    async def save_progress(
        self, _tx: object, tenant_id: str, agent_id: str, progress: LevelProgress
    ) -> None:
        if (tenant_id, agent_id) in self.agents:
            self.agents[tenant_id, agent_id] = progress

    async def find_definitions(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> tuple[SkillDefinition, ...]:
        return self.definitions.get((tenant_id, agent_id), ())

    async def save_definitions(
        self, _tx: object, tenant_id: str, agent_id: str, skills: Sequence[SkillDefinition]
    ) -> None:
        self.definitions[tenant_id, agent_id] = tuple(skills)

    async def find_skills(self, _tx: object, tenant_id: str, agent_id: str) -> list[SkillEvidence]:
        found = self.skills.get((tenant_id, agent_id), {}).values()
        return sorted(found, key=lambda each: (-each.items, each.skill.name))

    async def save_skills(
        self, _tx: object, tenant_id: str, agent_id: str, skills: Sequence[SkillEvidence]
    ) -> None:
        known = self.skills.setdefault((tenant_id, agent_id), {})
        known.update((each.skill.name, each) for each in skills)

    async def find_plan(self, _tx: object, tenant_id: str, job_id: UUID) -> CurriculumPlan | None:
        return self.plans.get((tenant_id, job_id))

    async def insert_plan(
        self, _tx: object, tenant_id: str, job_id: UUID, _agent_id: str, plan: CurriculumPlan
    ) -> None:
        self.plans[tenant_id, job_id] = plan
