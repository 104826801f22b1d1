"""Events become the read model of curricula."""

from datetime import UTC, datetime

import pytest

from archon_contracts.events import (
    CurriculumMeasured,
    CurriculumPlanned,
    FeedbackCounted,
    FeedbackCounts,
    LevelAdvanced,
    ModelDeployed,
    NextTask,
    SkillProgress,
)
from archon_contracts.identifiers import new_id
from archon_contracts.rules.task_types import TaskType
from archon_contracts.values import ArtifactRef, Estimate, ModelRef
from tests.support.data.datasets import plan
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_curriculum_is_shown_with_evidence_plan_and_reasons(
    gateway: ServedGateway, name: str
) -> None:
    agent, job_id = await gateway.configure_agent(name), new_id()
    before = await gateway.get(f"/v1/agents/{agent}/curriculum")
    skill = SkillProgress(
        skill="refunds",
        task_type=TaskType.ERROR_HANDLING,
        level=2,
        success_rate=Estimate(value=0.5, low=0.4, high=0.6, n=90),
        best_rate=0.7,
        is_mastered=False,
    )
    measured = CurriculumMeasured(
        agent_id=agent,
        level=2,
        skills=(skill,),
        next_tasks=(NextTask(skill="refunds", proportion=1.0, reason="it fell"),),
        reason="stays",
    )
    advanced = LevelAdvanced(
        agent_id=agent, from_level=1, to_level=2, success_rate=0.8, reason="sure"
    )
    planned = CurriculumPlanned(agent_id=agent, job_id=job_id, plan=plan(1.0))

    await gateway.publish(advanced, measured, planned, measured)

    async def is_there() -> None:
        found = await gateway.get(f"/v1/agents/{agent}/curriculum")
        assert (found["level"], found["reason"]) == (2, "stays")
        assert found["skills"][0]["success_rate"]["n"] == 90
        assert found["next_tasks"][0]["reason"] == "it fell"
        assert (found["last_change"]["to_level"], found["last_change"]["reason"]) == (2, "sure")
        assert found["planned_for"] == str(job_id)

    await eventually(is_there)
    assert (before["level"], before["skills"]) == (1, [])


async def test_the_history_of_feedback_has_hours_deployments_and_wrong_answers(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    counts = FeedbackCounts(hour=hour, feedback=10, corrected=3, rated=4, rating_sum=12.0)
    deployed = ModelDeployed(
        agent_id=agent,
        model=ModelRef(version="1.0.0", artifact=ArtifactRef(uri="file:///m", digest="a" * 64)),
        deployed_at=hour,
        revision=1,
        actor="t",
        reason="r",
    )

    await gateway.publish(FeedbackCounted(agent_id=agent, counts=(counts,)), deployed)

    async def is_there() -> None:
        found = await gateway.get(f"/v1/agents/{agent}/feedback-history", days=1)
        assert [(each["answers"], each["wrong"]) for each in found["hours"]] == [(10, 3)]
        assert len(found["deployed_at"]) == 1
        assert found.get("training_seconds") is None

    await eventually(is_there)
