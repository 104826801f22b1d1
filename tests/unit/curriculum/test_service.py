"""What the curriculum service does on an order."""

from archon_contracts.events import CurriculumPlanned, LevelAdvanced, LevelRegressed
from services.curriculum.pacing import LevelProgress, MasteryThresholds
from services.curriculum.service import CurriculumService
from tests.support.data.curriculum import FakeLevelStore, plan_curriculum
from tests.support.messaging.messages import message_of
from tests.support.messaging.outbox import RecordingOutbox

TX = object()


class FakeCurriculum:
    """A service on fakes."""

    def __init__(self, level: int = 1) -> None:
        self.store = FakeLevelStore()
        self.store.agents["default", "picker"] = LevelProgress(level)
        self.outbox = RecordingOutbox()
        self.service = CurriculumService(self.store, self.outbox, MasteryThresholds())

    async def order(self, **fields: object) -> None:
        await self.service.plan_curriculum(TX, message_of(plan_curriculum(**fields)))

    @property
    def progress(self) -> LevelProgress:
        return self.store.agents["default", "picker"]


async def test_a_plan_is_told_for_the_job_that_asked() -> None:
    curriculum, command = FakeCurriculum(), plan_curriculum()

    plan = await curriculum.service.plan_curriculum(TX, message_of(command))

    (event,) = curriculum.outbox.of(CurriculumPlanned)
    assert (event.job_id, event.plan) == (command.job_id, plan)


async def test_without_a_success_rate_the_level_stays() -> None:
    curriculum = FakeCurriculum(level=3)

    await curriculum.order(success_rate=None, new_items=1_000)

    assert curriculum.progress == LevelProgress(3)


async def test_a_mastered_level_is_told_and_planned_for() -> None:
    curriculum = FakeCurriculum(level=1)

    await curriculum.order(success_rate=0.9, new_items=300)

    (advanced,) = curriculum.outbox.of(LevelAdvanced)
    (planned,) = curriculum.outbox.of(CurriculumPlanned)
    assert (advanced.from_level, advanced.to_level, advanced.success_rate) == (1, 2, 0.9)
    assert planned.plan.level == 2


async def test_a_lost_level_is_told() -> None:
    curriculum = FakeCurriculum(level=4)

    await curriculum.order(success_rate=0.3, new_items=300)

    (regressed,) = curriculum.outbox.of(LevelRegressed)
    assert (regressed.from_level, regressed.to_level) == (4, 3)


async def test_a_job_planned_twice_keeps_its_plan_and_counts_its_evidence_once() -> None:
    curriculum, command = FakeCurriculum(level=2), plan_curriculum(success_rate=0.7, new_items=50)

    first = await curriculum.service.plan_curriculum(TX, message_of(command))
    rated = curriculum.progress.rated
    second = await curriculum.service.plan_curriculum(TX, message_of(command))

    assert (first, rated) == (second, curriculum.progress.rated)


async def test_agents_do_not_share_their_levels() -> None:
    curriculum = FakeCurriculum(level=2)

    await curriculum.order(agent_id="other")

    assert curriculum.outbox.of(CurriculumPlanned)[0].plan.level == 1
