"""The watch over a version that was deployed: what it rolls back, and what not."""

import pytest

from archon_contracts.commands import RollBackModel
from archon_contracts.events import (
    ModelRolledBack,
    RegressionDetected,
)
from archon_contracts.rules.rollout_policy import RolloutPolicy
from services.registry.rollout.experiments import ExperimentKind, ExperimentState
from tests.support.messaging.messages import message_of
from tests.support.registry import (
    deploy,
    register,
    roll_back,
)
from tests.support.rollout_harness import TX, RolloutHarness
from tests.support.rollouts import AGENT


@pytest.fixture
async def registry() -> RolloutHarness:
    return RolloutHarness()


async def test_a_version_that_got_worse_is_rolled_back(registry: RolloutHarness) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.count(("1.0.0", 80, 20), times=20)
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))

    await registry.count(("1.1.0", 65, 35), times=3)
    command = registry.last(RollBackModel)
    await registry.service.roll_back_model(TX, message_of(command))

    seen = registry.last(RegressionDetected)
    assert registry.deployed == "1.0.0"
    assert (seen.model_version, seen.previous_version, seen.metric) == ("1.1.0", "1.0.0", "outcome")
    assert (round(seen.before.value, 2), round(seen.now.value, 2)) == (0.8, 0.65)
    assert registry.last(ModelRolledBack).actor == "system (automatic rollback)"
    assert registry.states(ExperimentKind.WATCH) == [ExperimentState.ROLLED_BACK]


async def test_failures_roll_back_too(registry: RolloutHarness) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.count(("1.0.0", 0, 0), interactions=2000, failed=20)
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))

    await registry.count(("1.1.0", 0, 0), interactions=300, failed=40)

    assert registry.last(RegressionDetected).metric == "error_rate"
    assert registry.last(RollBackModel).to_version == "1.0.0"


async def test_late_feedback_counts_for_the_version_that_answered(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.count(("1.0.0", 80, 20), times=20)
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))

    await registry.count(("1.0.0", 0, 100), times=20)

    assert registry.outbox.of(RollBackModel) == []
    assert registry.experiments.counts["default", AGENT, "1.0.0"].scored.count == 4000


async def test_nothing_flips_back_and_forth(registry: RolloutHarness) -> None:
    """Rolled back, and deployed again by hand: it stays until the cooldown is over."""
    await registry.prepare(RolloutPolicy(cooldown_seconds=600))
    await registry.count(("1.0.0", 80, 20), times=20)
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))
    await registry.count(("1.1.0", 65, 35), times=3)
    await registry.service.roll_back_model(TX, message_of(registry.last(RollBackModel)))

    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))
    await registry.count(("1.1.0", 65, 35), times=3)
    rollbacks_in_cooldown = len(registry.outbox.of(RollBackModel))
    registry.clock.move(601)
    await registry.count(("1.1.0", 65, 35))

    assert rollbacks_in_cooldown == 1
    assert len(registry.outbox.of(RollBackModel)) == 2


async def test_a_rollback_of_a_clock_that_was_ahead_does_not_forbid_the_next(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(RolloutPolicy(cooldown_seconds=600))
    await registry.count(("1.0.0", 80, 20), times=20)
    registry.clock.move(10_000_000)
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))
    await registry.count(("1.1.0", 65, 35), times=3)
    await registry.service.roll_back_model(TX, message_of(registry.last(RollBackModel)))
    registry.clock.move(-10_000_000)

    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))
    await registry.count(("1.1.0", 65, 35), times=3)

    assert len(registry.outbox.of(RollBackModel)) == 2


async def test_a_rollback_that_comes_too_late_changes_nothing(registry: RolloutHarness) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.service.register_model(TX, message_of(register()))
    await registry.service.deploy_model(TX, message_of(deploy("1.2.0")))
    command = roll_back("1.0.0").model_copy(update={"from_version": "1.1.0"})

    await registry.service.roll_back_model(TX, message_of(command))

    assert registry.deployed == "1.2.0"


async def test_rollbacks_can_be_turned_off(registry: RolloutHarness) -> None:
    await registry.prepare(RolloutPolicy(automatic_rollback=False))
    await registry.count(("1.0.0", 80, 20), times=20)
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))

    await registry.count(("1.1.0", 0, 100), times=5)

    assert registry.outbox.of(RollBackModel) == []
