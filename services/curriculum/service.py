"""The use cases of the curriculum service."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import (
    CurriculumMeasured,
    CurriculumPlan,
    CurriculumPlanned,
    EvaluationCompleted,
    LevelAdvanced,
    LevelRegressed,
    SkillProgress,
    TaskCoverage,
)
from archon_contracts.rules.task_types import CurriculumLevel
from archon_contracts.values import Estimate, SkillDefinition
from services.curriculum.beta import credible_interval
from services.curriculum.domain import build_plan
from services.curriculum.levels import Skill, TaskDescription, find_skill_of, read_levels
from services.curriculum.mastery import (
    LevelDecision,
    SkillEvidence,
    add_evaluation,
    decide_level,
    is_mastered,
)
from services.curriculum.pacing import LevelProgress, MasteryThresholds, add_evidence
from services.curriculum.ports import LevelStore
from services.curriculum.task_schedule import schedule_tasks
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx

CANDIDATE = "candidate"
DEPLOYED = "deployed"


class CurriculumService:
    """Updates the levels and skills of agents and plans their trainings."""

    def __init__(self, store: LevelStore, outbox: Outbox, mastery: MasteryThresholds) -> None:
        self._levels = read_levels()
        self._store = store
        self._outbox = outbox
        self._mastery = mastery

    async def plan_curriculum(self, tx: Tx, message: Message[PlanCurriculum]) -> CurriculumPlan:
        """Plan a job's training and publish the plan; a job that has a plan keeps it.

        The success rate first counts as evidence on the agent's level, which may change by it.
        """
        command = message.body
        # Before the plan is looked for: a second copy of the command waits here and
        # then finds the plan.
        before = await self._store.lock_progress(tx, command.tenant_id, command.agent_id)
        plan = await self._store.find_plan(tx, command.tenant_id, command.job_id)
        # The evidence of a job counts once, however often the job is planned.
        if plan is None:
            plan = await self._plan(tx, command, before, message.cause)
        event = CurriculumPlanned(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            job_id=command.job_id,
            plan=plan,
        )
        await self._outbox.append(tx, event, cause=message.cause)
        return plan

    async def record_evaluation(self, tx: Tx, message: Message[EvaluationCompleted]) -> None:
        """Count what an evaluation says of each skill of the version that will answer.

        That is the candidate where the gate let it pass, and else the deployed version. An
        evaluation without skills, as of releases before them, changes nothing.
        """
        event = message.body
        tenant_id, agent_id = event.tenant_id, event.agent_id
        answering = CANDIDATE if event.passed else DEPLOYED
        results = [each for each in event.skills if each.model == answering]
        if not results:
            return
        before = await self._store.lock_progress(tx, tenant_id, agent_id)
        defined = await self._store.find_definitions(tx, tenant_id, agent_id)
        known = {
            each.skill.name: each for each in await self._store.find_skills(tx, tenant_id, agent_id)
        }
        evaluated = [
            add_evaluation(
                known.get(each.skill),
                find_skill_of(each.skill, each.task_type, defined),
                min(each.correct, each.items),
                each.items,
            )
            for each in results
        ]
        await self._store.save_skills(tx, tenant_id, agent_id, evaluated)
        skills = list((known | {each.skill.name: each for each in evaluated}).values())
        await self._update_level(tx, (tenant_id, agent_id), before, skills, defined, message.cause)

    async def _plan(
        self, tx: Tx, command: PlanCurriculum, before: LevelProgress, cause: Cause
    ) -> CurriculumPlan:
        evidenced = before
        if command.success_rate is not None:
            # Not new_items: most of a window may carry no rating of the agent's answer.
            evidenced = add_evidence(
                before, command.success_rate, command.rated_items, self._mastery
            )
        key = (command.tenant_id, command.agent_id)
        await self._store.save_definitions(tx, *key, command.skills)
        skills = await self._store.find_skills(tx, *key)
        decision = await self._update_level(tx, key, evidenced, skills, command.skills, cause)
        # The rate that was measured, also where it ended the level: the new one then has none.
        plan = build_plan(command, CurriculumLevel(decision.progress.level), evidenced.success_rate)
        await self._store.insert_plan(tx, command.tenant_id, command.job_id, command.agent_id, plan)
        return plan

    async def _update_level(
        self,
        tx: Tx,
        key: tuple[str, str],
        evidenced: LevelProgress,
        skills: Sequence[SkillEvidence],
        defined: Sequence[SkillDefinition],
        cause: Cause,
    ) -> LevelDecision:
        tenant_id, agent_id = key
        decision = decide_level(evidenced, skills, self._mastery)
        after = decision.progress
        await self._store.save_progress(tx, tenant_id, agent_id, after)
        if after.level != evidenced.level and decision.success_rate is not None:
            change = LevelAdvanced if after.level > evidenced.level else LevelRegressed
            event = change(
                tenant_id=tenant_id,
                agent_id=agent_id,
                from_level=evidenced.level,
                to_level=after.level,
                success_rate=min(1.0, decision.success_rate),
                reason=decision.reason,
            )
            await self._outbox.append(tx, event, cause=cause)
        measured = self._describe(key, after, skills, defined, decision.reason)
        await self._outbox.append(tx, measured, cause=cause)
        return decision

    def _describe(
        self,
        key: tuple[str, str],
        progress: LevelProgress,
        skills: Sequence[SkillEvidence],
        defined: Sequence[SkillDefinition],
        reason: str,
    ) -> CurriculumMeasured:
        asked = {each.skill.name for each in skills}
        missing = [Skill(each.name, each.task_type) for each in defined if each.name not in asked]
        return CurriculumMeasured(
            tenant_id=key[0],
            agent_id=key[1],
            level=progress.level,
            feedback_rate=_estimate(progress.correct, progress.rated),
            skills=tuple(self._to_progress(each) for each in skills[:100]),
            coverage=tuple(_cover(each, skills) for each in self._levels),
            next_tasks=schedule_tasks(skills, missing, progress.level, self._mastery)[:100],
            reason=reason,
        )

    def _to_progress(self, evidence: SkillEvidence) -> SkillProgress:
        low, high = evidence.interval()
        return SkillProgress(
            skill=evidence.skill.name,
            task_type=evidence.skill.task_type,
            level=evidence.skill.level,
            success_rate=Estimate(value=evidence.rate, low=low, high=high, n=evidence.items),
            previous_rate=evidence.previous_rate,
            best_rate=evidence.best_rate,
            is_mastered=is_mastered(evidence, self._mastery),
        )


def _estimate(correct: float, rated: float) -> Estimate | None:
    """The rate of rated answers; None below one answer's weight."""
    if rated < 1:
        return None
    low, high = credible_interval(correct, rated)
    return Estimate(value=min(1.0, correct / rated), low=low, high=high, n=round(rated))


def _cover(task: TaskDescription, skills: Sequence[SkillEvidence]) -> TaskCoverage:
    asked = [each for each in skills if each.skill.task_type == task.task_type]
    return TaskCoverage(
        level=task.level,
        task_type=task.task_type,
        description=task.description,
        items=sum(each.items for each in asked),
        correct=sum(each.correct for each in asked),
    )
