"""The use case of the curriculum service."""

from __future__ import annotations

from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import (
    CurriculumPlan,
    CurriculumPlanned,
    LevelAdvanced,
    LevelRegressed,
)
from services.curriculum.domain import Level, build_plan
from services.curriculum.pacing import LevelProgress, MasteryThresholds, add_evidence, update_level
from services.curriculum.ports import LevelStore
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx


class CurriculumService:
    """Updates the levels of agents and plans their trainings."""

    def __init__(self, store: LevelStore, outbox: Outbox, mastery: MasteryThresholds) -> None:
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

    async def _plan(
        self, tx: Tx, command: PlanCurriculum, before: LevelProgress, cause: Cause
    ) -> CurriculumPlan:
        evidenced = before
        if command.success_rate is not None:
            # Not new_items: most of a window may carry no rating of the agent's answer.
            evidenced = add_evidence(
                before, command.success_rate, command.rated_items, self._mastery
            )
        after = update_level(evidenced, self._mastery)
        await self._store.save_progress(tx, command.tenant_id, command.agent_id, after)
        await self._publish_level_change(tx, command, evidenced, after, cause)
        # The rate that was measured, also where it ended the level: `after` then has none.
        plan = build_plan(command, Level(after.level), evidenced.success_rate)
        await self._store.insert_plan(tx, command.tenant_id, command.job_id, command.agent_id, plan)
        return plan

    async def _publish_level_change(
        self,
        tx: Tx,
        command: PlanCurriculum,
        evidenced: LevelProgress,
        after: LevelProgress,
        cause: Cause,
    ) -> None:
        if after.level == evidenced.level or evidenced.success_rate is None:
            return
        change = LevelAdvanced if after.level > evidenced.level else LevelRegressed
        event = change(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            from_level=evidenced.level,
            to_level=after.level,
            success_rate=evidenced.success_rate,
        )
        await self._outbox.append(tx, event, cause=cause)
