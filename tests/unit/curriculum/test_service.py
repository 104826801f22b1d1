"""The use case of the curriculum service."""

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

    async def plan(self, **fields: object) -> None:
        await self.service.plan_curriculum(TX, message_of(plan_curriculum(**fields)))

    @property
    def progress(self) -> LevelProgress:
        return self.store.agents["default", "picker"]


async def test_the_plan_of_a_job_is_published() -> None:
    curriculum, command = FakeCurriculum(), plan_curriculum()

    plan = await curriculum.service.plan_curriculum(TX, message_of(command))

    (event,) = curriculum.outbox.of(CurriculumPlanned)
    assert (event.job_id, event.plan) == (command.job_id, plan)


async def test_without_a_success_rate_the_level_stays() -> None:
    curriculum = FakeCurriculum(level=3)

    await curriculum.plan(success_rate=None, rated_items=1_000)

    assert curriculum.progress == LevelProgress(3)


async def test_a_raised_level_is_published_and_used_by_the_plan() -> None:
    curriculum = FakeCurriculum(level=1)

    await curriculum.plan(success_rate=0.9, rated_items=300)

    (advanced,) = curriculum.outbox.of(LevelAdvanced)
    (planned,) = curriculum.outbox.of(CurriculumPlanned)
    assert (advanced.from_level, advanced.to_level, advanced.success_rate) == (1, 2, 0.9)
    assert planned.plan.level == 2


async def test_a_lowered_level_is_published() -> None:
    curriculum = FakeCurriculum(level=4)

    await curriculum.plan(success_rate=0.3, rated_items=300)

    (regressed,) = curriculum.outbox.of(LevelRegressed)
    assert (regressed.from_level, regressed.to_level) == (4, 3)


async def test_a_job_planned_twice_keeps_its_plan_and_counts_its_evidence_once() -> None:
    curriculum, command = (
        FakeCurriculum(level=2),
        plan_curriculum(success_rate=0.7, rated_items=50),
    )

    first = await curriculum.service.plan_curriculum(TX, message_of(command))
    rated = curriculum.progress.rated
    second = await curriculum.service.plan_curriculum(TX, message_of(command))

    assert (first, rated) == (second, curriculum.progress.rated)


async def test_evidence_weighs_by_rated_items_and_not_by_all_new_items() -> None:
    curriculum = FakeCurriculum()

    await curriculum.plan(success_rate=1.0, rated_items=3, new_items=1_000)

    assert curriculum.progress == LevelProgress(1, correct=3.0, rated=3.0)


async def test_agents_do_not_share_their_levels() -> None:
    curriculum = FakeCurriculum(level=2)

    await curriculum.plan(agent_id="other")

    assert curriculum.outbox.of(CurriculumPlanned)[0].plan.level == 1
