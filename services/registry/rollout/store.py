"""The tables of rollouts, typed: one method per query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.rules.bounds import SATURATE
from archon_contracts.rules.rollout_policy import RolloutPolicy
from archon_contracts.values import ModelRef
from services.registry.rollout.experiments import (
    NO_ANSWERS,
    ArmCounts,
    ExperimentKind,
    ExperimentState,
    VersionComparison,
    harm_from_json,
    harm_to_json,
)
from services.registry.rollout.ports import KnownCounts
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class ExperimentStore:
    """Policies, counts and experiments of agents; the caller holds the agent's lock."""

    def __init__(self) -> None:
        self._queries = load_queries("services.registry")

    async def find_policy(self, tx: Tx, tenant_id: str, agent_id: str) -> RolloutPolicy:
        """The agent's policy; the defaults where its profile is not known yet."""
        found = await self._queries.find_rollout_policy(tx, tenant_id=tenant_id, agent_id=agent_id)
        return _policy(found) if found is not None else RolloutPolicy()

    async def set_policy(
        self, tx: Tx, tenant_id: str, agent_id: str, policy: RolloutPolicy
    ) -> None:
        """Keep the agent's policy; experiments that run keep theirs."""
        await self._queries.set_rollout_policy(
            tx, tenant_id=tenant_id, agent_id=agent_id, rollout=policy.model_dump(mode="json")
        )

    async def find_counts(
        self, tx: Tx, tenant_id: str, agent_id: str, versions: Sequence[str]
    ) -> dict[str, KnownCounts]:
        """Counts of those versions that are registered."""
        rows = self._queries.find_answer_counts(
            tx, tenant_id=tenant_id, agent_id=agent_id, versions=list(versions)
        )
        return {
            row["version"]: KnownCounts(
                row["artifact_digest"],
                ArmCounts.from_json(row["counts"]) if row["counts"] else NO_ANSWERS,
            )
            async for row in rows
        }

    async def put_counts(
        self, tx: Tx, tenant_id: str, agent_id: str, counts: Mapping[str, ArmCounts]
    ) -> None:
        """Keep the counts of versions, which are sums already."""
        await self._queries.put_answer_counts(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            counts={version: each.to_json() for version, each in counts.items()},
        )

    async def find_running(self, tx: Tx, tenant_id: str, agent_id: str) -> VersionComparison | None:
        """The agent's experiment that has not ended."""
        row = await self._queries.find_running_experiment(
            tx, tenant_id=tenant_id, agent_id=agent_id
        )
        return _experiment(row) if row else None

    async def find_experiment(self, tx: Tx, experiment_id: UUID) -> VersionComparison | None:
        """An experiment, running or not."""
        row = await self._queries.find_experiment(tx, experiment_id=experiment_id)
        return _experiment(row) if row else None

    async def put_experiment(self, tx: Tx, experiment: VersionComparison) -> None:
        """Insert the experiment, or keep what it became."""
        await self._queries.put_experiment(
            tx,
            experiment_id=experiment.experiment_id,
            tenant_id=experiment.tenant_id,
            agent_id=experiment.agent_id,
            kind=experiment.kind,
            state=experiment.state,
            control_version=experiment.control.version,
            treatment_version=experiment.treatment.version,
            job_id=experiment.job_id,
            progress=_progress(experiment),
            started_at=experiment.started_at,
            deadline_at=experiment.deadline_at,
            ended_at=experiment.ended_at,
            reason=experiment.reason,
        )

    async def find_last_rollback(self, tx: Tx, tenant_id: str, agent_id: str) -> datetime | None:
        """When a watch last rolled the agent back; None: never."""
        found: datetime | None = await self._queries.find_last_rollback(
            tx, tenant_id=tenant_id, agent_id=agent_id
        )
        return found

    async def find_due_agent(self, tx: Tx, now: datetime) -> tuple[str, str] | None:
        """Tenant and name of the agent whose experiment is overdue for the longest time."""
        row = await self._queries.find_due_experiment(tx, now=now)
        return (row["tenant_id"], row["agent_id"]) if row else None


def _progress(experiment: VersionComparison) -> dict[str, Any]:
    return {
        "control": experiment.control.model_dump(mode="json"),
        "treatment": experiment.treatment.model_dump(mode="json"),
        "policy": experiment.policy.model_dump(mode="json"),
        "share": experiment.share,
        "step": experiment.step,
        "step_scored": experiment.step_scored,
        "measured": experiment.measured,
        "divided_from": experiment.divided_from,
        "control_counts": experiment.control_counts.to_json(),
        "treatment_counts": experiment.treatment_counts.to_json(),
        "harm": harm_to_json(experiment.harm),
    }


def _experiment(row: Mapping[str, Any]) -> VersionComparison:
    progress = row["progress"]
    divided_from = progress["divided_from"]
    return VersionComparison(
        experiment_id=row["experiment_id"],
        tenant_id=row["tenant_id"],
        agent_id=row["agent_id"],
        kind=ExperimentKind(row["kind"]),
        control=ModelRef.model_validate(progress["control"]),
        treatment=ModelRef.model_validate(progress["treatment"]),
        policy=_policy(progress["policy"]),
        share=progress["share"],
        started_at=row["started_at"],
        deadline_at=row["deadline_at"],
        job_id=row["job_id"],
        step=progress["step"],
        step_scored=progress["step_scored"],
        measured=progress.get("measured", 0),  # absent: begun before measures were published
        divided_from=tuple(divided_from) if divided_from else None,
        control_counts=ArmCounts.from_json(progress["control_counts"]),
        treatment_counts=ArmCounts.from_json(progress["treatment_counts"]),
        harm=harm_from_json(progress["harm"]),
        state=ExperimentState(row["state"]),
        reason=row["reason"],
        ended_at=row["ended_at"],
    )


def _policy(stored: Mapping[str, Any]) -> RolloutPolicy:
    """A policy that was accepted once: a bound that is lower today makes none unreadable."""
    # In JSON a whole share may lack its fraction, and the fields are strict.
    return RolloutPolicy.model_validate(stored, context=SATURATE)
