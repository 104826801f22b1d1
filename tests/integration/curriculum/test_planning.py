"""The curriculum service on a real database."""

from collections.abc import AsyncIterator

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import CurriculumMeasured, CurriculumPlanned, LevelAdvanced
from archon_contracts.identifiers import new_id
from services.curriculum.errors import BrokenPlan
from services.curriculum.pacing import LevelProgress, MasteryThresholds
from services.curriculum.service import CurriculumService
from services.curriculum.store import CurriculumStore
from shared.process.service_context import ServiceContext
from tests.support.data.curriculum import plan_curriculum
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of


class RunningCurriculum:
    """The real service, one transaction per message."""

    def __init__(self, shared: ServiceContext) -> None:
        self.shared = shared
        self.store = CurriculumStore()
        self.service = CurriculumService(self.store, shared.outbox, MasteryThresholds())

    async def execute(self, *commands: PlanCurriculum) -> list[Contract]:
        for command in commands:
            message = message_of(command)
            await self.shared.inbox.run_once(message, self.service.plan_curriculum)
        return await events_of(self.shared.database)


@pytest.fixture
async def curriculum(database_url: str) -> AsyncIterator[RunningCurriculum]:
    settings = probe_settings(database_url, service="curriculum")
    async with open_service_context(settings) as shared:
        yield RunningCurriculum(shared)


async def test_a_command_stores_the_plan_and_the_new_level(curriculum: RunningCurriculum) -> None:
    advanced, measured, planned = await curriculum.execute(
        plan_curriculum(success_rate=0.9, rated_items=300)
    )

    assert isinstance(advanced, LevelAdvanced)
    assert isinstance(measured, CurriculumMeasured)
    assert isinstance(planned, CurriculumPlanned)
    async with curriculum.shared.database.transaction("default") as tx:
        assert await curriculum.store.lock_progress(tx, "default", "picker") == LevelProgress(2)


async def test_a_job_planned_twice_keeps_its_plan(curriculum: RunningCurriculum) -> None:
    command = plan_curriculum(success_rate=0.7)

    _, first, second = await curriculum.execute(command, command)

    assert first == second


async def test_a_redelivered_command_is_executed_once(curriculum: RunningCurriculum) -> None:
    message = message_of(plan_curriculum())

    for _ in range(2):
        await curriculum.shared.inbox.run_once(message, curriculum.service.plan_curriculum)

    assert len(await events_of(curriculum.shared.database)) == 2


async def test_an_unreadable_stored_plan_is_reported_with_its_job(
    curriculum: RunningCurriculum,
) -> None:
    job_id = new_id()
    async with curriculum.shared.database.transaction("default") as tx:
        await tx.execute("INSERT INTO plans VALUES ('default', $1, 'a', $2)", job_id, {"level": 9})

        with pytest.raises(BrokenPlan, match=str(job_id)):
            await curriculum.store.find_plan(tx, "default", job_id)
