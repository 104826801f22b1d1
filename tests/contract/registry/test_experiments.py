"""The experiments in memory behave as the real store does, as far as rollouts can see."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from archon_contracts.identifiers import new_id
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from archon_contracts.values import ArtifactRef
from services.registry.domain import ModelStatus, ModelVersion, SemanticVersion
from services.registry.ports import ModelRepository
from services.registry.rollout.experiments import (
    NO_ANSWERS,
    ArmCounts,
    ExperimentKind,
    ExperimentState,
)
from services.registry.rollout.ports import ExperimentRecords
from services.registry.rollout.store import ExperimentStore
from services.registry.store import ModelStore
from shared.postgres.database import Tx
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import NOON
from tests.support.registry import InMemoryModelStore, artifact, register
from tests.support.rollouts import AGENT, InMemoryExperimentStore, comparison, scored

TENANT = "default"
Opened = tuple[ExperimentRecords, Tx]


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the real store's database is; None for the one in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def opened(url: str | None) -> AsyncIterator[Opened]:
    """A store, and a transaction in which the agent has versions 1.0.0 and 1.1.0."""
    if url is None:
        models = InMemoryModelStore()
        await add_versions(models, object())
        yield InMemoryExperimentStore(models), object()
        return
    async with (
        open_service_context(probe_settings(url, service="registry")) as shared,
        shared.database.transaction(TENANT) as tx,
    ):
        store = ModelStore()
        await store.lock_agent(tx, TENANT, AGENT)
        await add_versions(store, tx)
        yield ExperimentStore(), tx


async def add_versions(models: ModelRepository, tx: Tx) -> None:
    for minor, name in enumerate(("control", "treatment")):
        command = register().model_copy(update={"artifact": artifact(name)})
        model = ModelVersion(
            model_id=new_id(),
            tenant_id=TENANT,
            agent_id=AGENT,
            version=SemanticVersion(1, minor, 0),
            kind=command.kind,
            artifact=command.artifact,
            status=ModelStatus.READY,
            job_id=command.job_id,
            dataset_id=command.dataset_id,
            parent_version=None,
            metrics={},
            created_at=NOON,
        )
        await models.insert(tx, model, command)


async def test_a_policy_is_read_back_and_the_defaults_hold_before(opened: Opened) -> None:
    store, tx = opened
    assert await store.find_policy(tx, TENANT, AGENT) == RolloutPolicy()

    chosen = RolloutPolicy(mode=RolloutMode.CANARY, canary_shares=(0.1, 0.3), alpha=0.01)
    await store.set_policy(tx, TENANT, AGENT, chosen)

    assert await store.find_policy(tx, TENANT, AGENT) == chosen


async def test_counts_are_kept_of_versions_that_exist(opened: Opened) -> None:
    store, tx = opened
    versions = ["1.0.0", "1.1.0", "9.9.9"]
    before = await store.find_counts(tx, TENANT, AGENT, versions)
    counts = ArmCounts(scored(3, 1).scored, 7, 2, {-5: 4, 3: 1})

    await store.put_counts(tx, TENANT, AGENT, {"1.0.0": counts})
    await store.put_counts(tx, TENANT, AGENT, {"1.0.0": counts + counts})

    after = await store.find_counts(tx, TENANT, AGENT, versions)
    digest = artifact("control").digest
    assert {version: each.counts for version, each in before.items()} == {
        "1.0.0": NO_ANSWERS,
        "1.1.0": NO_ANSWERS,
    }
    assert after["1.0.0"] == (digest, counts + counts)
    assert after["1.1.0"].counts == NO_ANSWERS


@pytest.mark.parametrize("kind", list(ExperimentKind))
async def test_an_experiment_is_read_back_as_it_was(opened: Opened, kind: ExperimentKind) -> None:
    store, tx = opened
    experiment = comparison(kind, job_id=new_id()).add(
        scored(5, 2, interactions=9), scored(4, 4, interactions=8, failed=1)
    )
    await store.put_experiment(tx, experiment)
    grown = experiment.add(scored(1), ArmCounts(latencies={2: 1}))

    await store.put_experiment(tx, grown)

    assert await store.find_running(tx, TENANT, AGENT) == grown
    assert await store.find_experiment(tx, experiment.experiment_id) == grown
    assert isinstance(grown.control.artifact, ArtifactRef)


async def test_what_has_ended_runs_no_more_and_stays_as_it_ended(opened: Opened) -> None:
    store, tx = opened
    experiment = comparison(ExperimentKind.AB_TEST)
    ended = experiment.end(ExperimentState.KEPT, "futile", NOON)
    await store.put_experiment(tx, experiment)
    await store.put_experiment(tx, ended)

    await store.put_experiment(tx, replace(experiment, share=0.9))

    assert await store.find_running(tx, TENANT, AGENT) is None
    assert await store.find_experiment(tx, experiment.experiment_id) == ended


async def test_the_last_rollback_is_found(opened: Opened) -> None:
    store, tx = opened
    assert await store.find_last_rollback(tx, TENANT, AGENT) is None
    for minutes, state in (
        (1, ExperimentState.ROLLED_BACK),
        (2, ExperimentState.ROLLED_BACK),
        (3, ExperimentState.KEPT),
    ):
        ended = comparison(ExperimentKind.WATCH).end(state, "", NOON + timedelta(minutes=minutes))
        await store.put_experiment(tx, ended)

    assert await store.find_last_rollback(tx, TENANT, AGENT) == NOON + timedelta(minutes=2)


async def test_an_agent_is_due_when_its_experiments_time_is_over(opened: Opened) -> None:
    store, tx = opened
    experiment = comparison(ExperimentKind.SHADOW)
    await store.put_experiment(tx, experiment)

    assert await store.find_due_agent(tx, NOON) is None
    assert await store.find_due_agent(tx, experiment.deadline_at) == (TENANT, AGENT)
