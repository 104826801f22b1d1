"""The use case of the curriculum service."""

import pytest

from archon_contracts.events import (
    CurriculumMeasured,
    CurriculumPlanned,
    EvaluationCompleted,
    LevelAdvanced,
    LevelRegressed,
    SkillResult,
)
from archon_contracts.identifiers import new_id
from archon_contracts.rules.task_types import TaskType
from archon_contracts.values import SkillDefinition
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
    assert (advanced.from_level, advanced.to_level) == (1, 2)
    assert advanced.success_rate == pytest.approx(0.9)
    assert "masters level 1" in advanced.reason
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

    assert (curriculum.progress.level, curriculum.progress.success_rate) == (1, pytest.approx(1.0))
    assert curriculum.progress.rated == pytest.approx(3.0, abs=0.01)


async def test_agents_do_not_share_their_levels() -> None:
    curriculum = FakeCurriculum(level=2)

    await curriculum.plan(agent_id="other")

    assert curriculum.outbox.of(CurriculumPlanned)[0].plan.level == 1


def evaluated(*skills: SkillResult, passed: bool = True) -> EvaluationCompleted:
    return EvaluationCompleted(
        agent_id="picker",
        job_id=new_id(),
        evaluation_id=new_id(),
        passed=passed,
        reasons=(),
        accuracy={},
        skills=skills,
        duration_seconds=1.0,
    )


def result(model: str, correct: int, skill: str = "single_step_problems") -> SkillResult:
    return SkillResult(
        model=model, skill=skill, task_type="single_step_problems", items=100, correct=correct
    )


@pytest.mark.parametrize(("passed", "rate"), [(True, 0.95), (False, 0.2)])
async def test_an_evaluation_counts_the_version_that_will_answer(passed: bool, rate: float) -> None:
    curriculum = FakeCurriculum()
    event = evaluated(result("candidate", 95), result("deployed", 20), passed=passed)

    await curriculum.service.record_evaluation(TX, message_of(event))

    (measured,) = curriculum.outbox.of(CurriculumMeasured)
    (skill,) = measured.skills
    assert (skill.success_rate.value, skill.is_mastered) == (rate, passed)
    assert len(curriculum.outbox.of(LevelAdvanced)) == passed


async def test_an_evaluation_without_skills_changes_nothing() -> None:
    curriculum = FakeCurriculum()

    await curriculum.service.record_evaluation(TX, message_of(evaluated()))

    assert curriculum.outbox.of(CurriculumMeasured) == []


async def test_a_skill_of_the_policy_without_items_is_to_be_practised() -> None:
    curriculum = FakeCurriculum()
    own = SkillDefinition(name="refunds", task_type=TaskType.BASIC_REASONING)

    await curriculum.plan(skills=(own,))

    (measured,) = curriculum.outbox.of(CurriculumMeasured)
    assert [task.skill for task in measured.next_tasks] == ["refunds"]
    assert [(each.level, each.items) for each in measured.coverage][::3] == [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
    ]
