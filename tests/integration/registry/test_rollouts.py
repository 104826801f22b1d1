"""Rollouts on a real database: what a killed process leaves, and what two at once do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from archon_contracts.base import Contract
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from services.registry.rollout.service import Rollouts
from services.registry.rollout.store import ExperimentStore
from services.registry.rollout.sweeper import ExperimentSweeper
from shared.messaging.messages import Message
from shared.postgres.database import Tx
from shared.process.service_context import ServiceContext
from tests.integration.registry.test_store import RegistryOnPostgres
from tests.support.clocks import SetClock
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of
from tests.support.registry import deploy, deploy_for_job, register, roll_back
from tests.support.rollouts import configured, counted

CANARY = RolloutPolicy(mode=RolloutMode.CANARY, canary_shares=(0.1, 0.5), step_answers=20)
BETTER = (("1.0.0", 60, 60), ("1.1.0", 108, 12))
WORSE = (("1.0.0", 108, 12), ("1.1.0", 36, 84))
EVEN = (("1.0.0", 16, 4), ("1.1.0", 16, 4))


class Killed(Exception):
    """The process ends before it commits."""


class KillableRegistry(RegistryOnPostgres):
    """A registry that can be killed in the last moment before a message's commit."""

    def __init__(self, shared: ServiceContext) -> None:
        super().__init__(shared)
        self._use_cases |= {
            "AgentConfigured": self.rollouts.record_policy,
            "FeedbackCounted": self.rollouts.record_counts,
        }

    async def receive_after_kill(self, body: Contract) -> None:
        """The message comes, the process is killed, and the message comes again."""
        message = message_of(body)

        async def killed(tx: Tx, received: Message[Any]) -> None:
            await self._use_cases[type(body).__name__](tx, received)
            raise Killed

        with suppress(Killed):
            await self.shared.inbox.run_once(message, killed)
        await self.receive(message)
        await self.receive(message)

    async def prepare(self, policy: RolloutPolicy) -> None:
        await self.handle(register(), register(), deploy("1.0.0"), configured(policy))

    async def experiments(self) -> list[tuple[object, ...]]:
        return await self.rows("SELECT kind, state FROM experiments ORDER BY started_at, kind")

    async def deployed(self) -> str:
        ((version,),) = await self.rows("SELECT version FROM models WHERE status = 'deployed'")
        return str(version)

    async def published(self) -> dict[str, int]:
        """Messages about experiments and deployments, by type."""
        names = [type(event).__name__ for event in await events_of(self.shared.database)]
        return {name: names.count(name) for name in sorted(set(names))}


@pytest.fixture
async def registry(database_url: str) -> AsyncIterator[KillableRegistry]:
    settings = probe_settings(database_url, service="registry")
    async with open_service_context(settings) as shared:
        yield KillableRegistry(shared)


@pytest.mark.parametrize(
    ("mode", "answers", "deployed", "outcome"),
    [
        (RolloutMode.AB_TEST, BETTER, "1.1.0", "promoted"),
        (RolloutMode.AB_TEST, WORSE, "1.0.0", "kept"),
    ],
)
async def test_a_killed_registry_decides_a_test_once(
    registry: KillableRegistry,
    mode: RolloutMode,
    answers: tuple[tuple[str, int, int], ...],
    deployed: str,
    outcome: str,
) -> None:
    await registry.prepare(RolloutPolicy(mode=mode))

    await registry.receive_after_kill(deploy_for_job("1.1.0", "1.0.0"))
    # In two portions: evidence of harm needs a portion before to learn its rates from.
    for portion in (answers, answers):
        await registry.receive_after_kill(counted(*portion))

    published = await registry.published()
    assert ("ab_test", outcome) in await registry.experiments()
    assert await registry.deployed() == deployed
    assert (published["ExperimentStarted"], published["ExperimentConcluded"]) == (1, 1)
    assert published["ModelDeployed"] == (2 if outcome == "promoted" else 1)


async def test_a_killed_registry_takes_each_step_of_a_canary_once(
    registry: KillableRegistry,
) -> None:
    await registry.prepare(CANARY)

    await registry.receive_after_kill(deploy_for_job("1.1.0", "1.0.0"))
    for _ in range(2):
        await registry.receive_after_kill(counted(*EVEN))

    published = await registry.published()
    assert published["ExperimentAdvanced"] == 1
    assert await registry.experiments() == [("canary", "promoted"), ("watch", "running")]
    assert await registry.deployed() == "1.1.0"


async def test_a_killed_registry_rolls_back_once(registry: KillableRegistry) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.receive(message_of(counted(("1.0.0", 1600, 400))))

    await registry.receive_after_kill(deploy("1.1.0"))
    await registry.receive_after_kill(counted(("1.1.0", 195, 105)))
    back = roll_back("1.0.0").model_copy(update={"from_version": "1.1.0"})
    await registry.receive_after_kill(back)

    published = await registry.published()
    assert (published["RegressionDetected"], published["RollBackModel"]) == (1, 1)
    assert published["ModelRolledBack"] == 1
    assert await registry.experiments() == [("watch", "rolled_back")]
    assert await registry.deployed() == "1.0.0"


async def test_counts_that_come_again_are_counted_once(registry: KillableRegistry) -> None:
    await registry.prepare(RolloutPolicy())

    await registry.receive_after_kill(counted(("1.0.0", 3, 1)))

    ((counts,),) = await registry.rows("SELECT counts FROM answer_counts")
    assert counts["scored"] == [4, 3, 3]  # type: ignore[index]


async def test_two_counts_at_once_are_both_counted(registry: KillableRegistry) -> None:
    await registry.prepare(RolloutPolicy())

    await asyncio.gather(
        *(registry.receive(message_of(counted(("1.0.0", 1, 0)))) for _ in range(8))
    )

    ((counts,),) = await registry.rows("SELECT counts FROM answer_counts")
    assert counts["scored"] == [8, 8, 8]  # type: ignore[index]


async def test_two_deployments_at_once_leave_one_version_and_one_watch(
    registry: KillableRegistry,
) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.receive(message_of(register()))

    await asyncio.gather(
        *(registry.receive(message_of(deploy(version))) for version in ("1.1.0", "1.2.0"))
    )

    history = await registry.rows(
        "SELECT revision, version, previous_version FROM deployments ORDER BY revision"
    )
    assert [row[0] for row in history] == [1, 2, 3]
    # Each names the version that it replaced: neither was deployed over the other unseen.
    assert [row[2] for row in history] == [None, "1.0.0", history[1][1]]
    assert await registry.deployed() == history[2][1]
    assert sorted(await registry.experiments()) == [("watch", "cancelled"), ("watch", "running")]


async def test_two_candidates_at_once_begin_one_test_after_the_other(
    registry: KillableRegistry,
) -> None:
    await registry.prepare(RolloutPolicy(mode=RolloutMode.AB_TEST))
    await registry.receive(message_of(register()))

    await asyncio.gather(
        *(
            registry.receive(message_of(deploy_for_job(version, "1.0.0")))
            for version in ("1.1.0", "1.2.0")
        )
    )

    published = await registry.published()
    experiments = await registry.experiments()
    assert sorted(experiments) == [("ab_test", "cancelled"), ("ab_test", "running")]
    assert (published["ExperimentStarted"], published["ExperimentConcluded"]) == (2, 1)
    assert await registry.deployed() == "1.0.0"


async def test_a_hand_and_the_feedback_that_decide_at_once_conclude_one_test_once(
    registry: KillableRegistry,
) -> None:
    await registry.prepare(RolloutPolicy(mode=RolloutMode.AB_TEST))
    await registry.receive(message_of(deploy_for_job("1.1.0", "1.0.0")))

    await asyncio.gather(
        registry.receive(message_of(counted(*BETTER))),
        registry.receive(message_of(deploy("1.1.0"))),
    )

    published = await registry.published()
    assert published["ExperimentConcluded"] == 1
    assert await registry.experiments() == [("ab_test", "promoted"), ("watch", "running")]
    assert await registry.deployed() == "1.1.0"
    versions = await registry.rows("SELECT version FROM deployments ORDER BY revision")
    assert [version for (version,) in versions] == ["1.0.0", "1.1.0"]


async def test_an_experiment_whose_version_is_archived_ends(registry: KillableRegistry) -> None:
    await registry.prepare(RolloutPolicy(mode=RolloutMode.AB_TEST))
    await registry.receive(message_of(deploy_for_job("1.1.0", "1.0.0")))
    async with registry.shared.database.transaction("default") as tx:
        await tx.execute("UPDATE models SET status = 'archived' WHERE version = '1.1.0'")

    await registry.receive(message_of(counted(*EVEN)))

    assert await registry.experiments() == [("ab_test", "kept")]
    assert await registry.deployed() == "1.0.0"


async def test_the_sweeper_ends_what_is_over_of_every_tenant(registry: KillableRegistry) -> None:
    await registry.prepare(RolloutPolicy(mode=RolloutMode.SHADOW, maximum_seconds=1))
    await registry.receive(message_of(deploy_for_job("1.1.0", "1.0.0")))
    shared, clock = registry.shared, SetClock(registry.shared.clock.now())
    clock.move(3600)
    parts = (registry.models, ExperimentStore(), shared.outbox, shared.audit, clock)
    sweeper = ExperimentSweeper(
        shared.database, shared.notifier, ExperimentStore(), Rollouts(*parts), clock
    )

    await sweeper.sweep()

    assert await registry.experiments() == [("shadow", "kept")]
    assert (await registry.published())["ExperimentConcluded"] == 1
