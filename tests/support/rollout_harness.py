"""The registry with its rollouts, on fakes."""

from typing import Any

from archon_contracts.base import Contract
from archon_contracts.commands import DeployModel
from archon_contracts.rules.rollout_policy import RolloutPolicy
from services.registry.domain import ModelStatus
from services.registry.rollout.experiments import ExperimentKind, ExperimentState
from services.registry.rollout.service import Rollouts
from services.registry.service import RegistryService
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON, message_of
from tests.support.messaging.outbox import RecordingOutbox
from tests.support.registry import (
    InMemoryModelStore,
    ScriptedChecks,
    deploy,
    deploy_for_job,
    register,
)
from tests.support.rollouts import InMemoryExperimentStore, configured, counted

TX: Any = object()
"""A transaction of the fakes, which need none."""


class RolloutHarness:
    """The registry on fakes, with versions 1.0.0 (deployed) and 1.1.0."""

    def __init__(self) -> None:
        self.models = InMemoryModelStore()
        self.experiments = InMemoryExperimentStore(self.models)
        self.outbox, self.audit, self.clock = RecordingOutbox(), RecordingAudit(), SetClock(NOON)
        self.rollouts = Rollouts(self.models, self.experiments, self.outbox, self.audit, self.clock)
        self.service = RegistryService(
            self.models,
            self.rollouts,
            self.outbox,
            self.audit,
            self.clock,
            ScriptedChecks(),
        )

    async def prepare(self, chosen: RolloutPolicy) -> None:
        """Register both versions and deploy the first under this policy."""
        for _ in range(2):
            await self.service.register_model(TX, message_of(register()))
        await self.service.deploy_model(TX, message_of(deploy("1.0.0")))
        await self.rollouts.record_policy(TX, message_of(configured(chosen)))

    async def offer(self, version: str = "1.1.0") -> DeployModel:
        """Have a job's version deployed."""
        command = deploy_for_job(version, "1.0.0")
        await self.service.deploy_model(TX, message_of(command))
        return command

    async def count(self, *versions: tuple[str, int, int], times: int = 1, **fields: Any) -> None:
        """Counted answers of versions, so many times."""
        for _ in range(times):
            await self.rollouts.record_counts(TX, message_of(counted(*versions, **fields)))

    @property
    def deployed(self) -> str:
        """The version that is deployed."""
        (found,) = [m for m in self.models.models.values() if m.status is ModelStatus.DEPLOYED]
        return str(found.version)

    def last(self, contract: type[Contract]) -> Any:
        """The newest message of a contract."""
        return self.outbox.of(contract)[-1]

    def states(self, kind: ExperimentKind) -> list[ExperimentState]:
        """Of all experiments of a kind."""
        return [each.state for each in self.experiments.experiments.values() if each.kind is kind]
