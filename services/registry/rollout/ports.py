"""What rollouts need of a store; kept in PostgreSQL, and in memory for the service's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from archon_contracts.rules.rollout_policy import RolloutPolicy
from services.registry.rollout.experiments import ArmCounts, VersionComparison
from shared.postgres.database import Tx


class KnownCounts(NamedTuple):
    """All that was ever counted of a version, and the digest that it is registered with."""

    digest: str
    counts: ArmCounts


class ExperimentRecords(Protocol):
    """Policies, counts and experiments of agents; the caller holds the agent's lock."""

    async def find_policy(self, tx: Tx, tenant_id: str, agent_id: str) -> RolloutPolicy: ...

    async def set_policy(
        self, tx: Tx, tenant_id: str, agent_id: str, policy: RolloutPolicy
    ) -> None: ...

    async def find_counts(
        self, tx: Tx, tenant_id: str, agent_id: str, versions: Sequence[str]
    ) -> dict[str, KnownCounts]: ...

    async def put_counts(
        self, tx: Tx, tenant_id: str, agent_id: str, counts: Mapping[str, ArmCounts]
    ) -> None: ...

    async def find_running(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> VersionComparison | None: ...

    async def find_experiment(self, tx: Tx, experiment_id: UUID) -> VersionComparison | None: ...

    async def put_experiment(self, tx: Tx, experiment: VersionComparison) -> None: ...

    async def find_last_rollback(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> datetime | None: ...

    async def find_due_agent(self, tx: Tx, now: datetime) -> tuple[str, str] | None: ...
