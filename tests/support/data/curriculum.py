"""Commands to the curriculum service, and its store in memory."""

from typing import Any
from uuid import UUID

from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import CurriculumPlan
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, TrainingMethod
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

    async def lock_progress(self, _tx: object, tenant_id: str, agent_id: str) -> LevelProgress:
        return self.agents.setdefault((tenant_id, agent_id), LevelProgress())

    async def save_progress(
        self, _tx: object, tenant_id: str, agent_id: str, progress: LevelProgress
    ) -> None:
        if (tenant_id, agent_id) in self.agents:
            self.agents[tenant_id, agent_id] = progress

    async def find_plan(self, _tx: object, tenant_id: str, job_id: UUID) -> CurriculumPlan | None:
        return self.plans.get((tenant_id, job_id))

    async def insert_plan(
        self, _tx: object, tenant_id: str, job_id: UUID, _agent_id: str, plan: CurriculumPlan
    ) -> None:
        self.plans[tenant_id, job_id] = plan
