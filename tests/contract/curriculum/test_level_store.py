"""The store in memory behaves as the real one does."""

from collections.abc import AsyncIterator

import pytest

from archon_contracts.identifiers import new_id
from archon_contracts.rules.task_types import TaskType
from archon_contracts.values import SkillDefinition
from services.curriculum.levels import Skill
from services.curriculum.mastery import add_evaluation
from services.curriculum.pacing import LevelProgress
from services.curriculum.ports import LevelStore
from services.curriculum.store import CurriculumStore
from shared.postgres.database import Tx
from tests.support.data.curriculum import FakeLevelStore
from tests.support.data.datasets import plan
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

TENANT, AGENT = "default", "picker"
OpenStore = tuple[LevelStore, Tx]


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the real store's database is; None for the one in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def opened(url: str | None) -> AsyncIterator[OpenStore]:
    """A store and a transaction of the tenant."""
    if url is None:
        yield FakeLevelStore(), object()
        return
    async with (
        open_service_context(probe_settings(url, service="curriculum")) as shared,
        shared.database.transaction(TENANT) as tx,
    ):
        yield CurriculumStore(), tx


async def test_an_unknown_agent_is_on_the_lowest_level_without_evidence(opened: OpenStore) -> None:
    store, tx = opened

    assert await store.lock_progress(tx, TENANT, AGENT) == LevelProgress()


async def test_saved_progress_is_read_again_and_belongs_to_one_agent(opened: OpenStore) -> None:
    store, tx = opened
    progress = LevelProgress(3, correct=2.5, rated=4.0)
    await store.lock_progress(tx, TENANT, AGENT)

    await store.save_progress(tx, TENANT, AGENT, progress)

    assert await store.lock_progress(tx, TENANT, AGENT) == progress
    assert await store.lock_progress(tx, TENANT, "other") == LevelProgress()


async def test_saving_without_locking_first_changes_nothing(opened: OpenStore) -> None:
    store, tx = opened

    await store.save_progress(tx, TENANT, AGENT, LevelProgress(3))

    assert await store.lock_progress(tx, TENANT, AGENT) == LevelProgress()


async def test_a_plan_is_found_by_tenant_and_job(opened: OpenStore) -> None:
    store, tx = opened
    job_id, planned = new_id(), plan(0.5)

    await store.insert_plan(tx, TENANT, job_id, AGENT, planned)

    assert await store.find_plan(tx, TENANT, job_id) == planned
    assert await store.find_plan(tx, TENANT, new_id()) is None
    assert await store.find_plan(tx, "another", job_id) is None


async def test_evidence_on_skills_is_replaced_by_the_newest(opened: OpenStore) -> None:
    store, tx = opened
    skill = Skill("refunds", TaskType.ERROR_HANDLING)
    first = add_evaluation(None, skill, 3, 10)
    await store.save_skills(tx, TENANT, AGENT, [first])

    second = add_evaluation(first, skill, 9, 10)
    await store.save_skills(tx, TENANT, AGENT, [second])

    assert await store.find_skills(tx, TENANT, AGENT) == [second]
    assert await store.find_skills(tx, TENANT, "other") == []


async def test_skills_of_the_policy_are_kept(opened: OpenStore) -> None:
    store, tx = opened
    own = (SkillDefinition(name="refunds", task_type=TaskType.ERROR_HANDLING),)
    assert await store.find_definitions(tx, TENANT, AGENT) == ()
    await store.lock_progress(tx, TENANT, AGENT)

    await store.save_definitions(tx, TENANT, AGENT, own)

    assert await store.find_definitions(tx, TENANT, AGENT) == own
