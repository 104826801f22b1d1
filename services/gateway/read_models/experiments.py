"""Experiments of all agents: written from the registry's events, read by routes and pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from archon_contracts.events import (
    ExperimentAdvanced,
    ExperimentConcluded,
    ExperimentMeasured,
    ExperimentOutcome,
    ExperimentStarted,
)
from services.gateway.auth.agent_binding import hide_other_agents
from services.gateway.auth.credentials import Caller
from services.gateway.errors import NotFound
from services.gateway.views.experiments import (
    ExperimentDetail,
    ExperimentView,
    to_experiment,
    to_measure,
)
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

MAX_MEASURES: Final = 500
"""Of one answer; the registry publishes some three hundred for a million answers."""


class ExperimentReadModel:
    """Takes `tx` and never commits. Events that come again change nothing."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def begin(self, tx: Tx, event: ExperimentStarted, at: datetime) -> None:
        """Add an experiment."""
        await self._queries.save_experiment(
            tx,
            tenant_id=event.tenant_id,
            experiment_id=event.experiment_id,
            agent_id=event.agent_id,
            mode=event.mode,
            control=event.control.model_dump(mode="json"),
            treatment=event.treatment.model_dump(mode="json"),
            proportion=event.treatment_proportion,
            job_id=event.job_id,
            reason=event.reason,
            at=at,
        )

    async def advance(self, tx: Tx, event: ExperimentAdvanced) -> None:
        """Record the next part of the traffic."""
        await self._queries.advance_experiment(
            tx,
            tenant_id=event.tenant_id,
            experiment_id=event.experiment_id,
            proportion=event.treatment_proportion,
            step=event.step,
        )

    async def add_measure(self, tx: Tx, event: ExperimentMeasured) -> None:
        """Add what it shows at one look."""
        body = event.to_json()
        await self._queries.save_experiment_measure(
            tx,
            tenant_id=event.tenant_id,
            experiment_id=event.experiment_id,
            at=event.measured_at,
            arms=body.get("arms", []),
            difference=body.get("difference"),
            body=body,
        )

    async def conclude(self, tx: Tx, event: ExperimentConcluded, at: datetime) -> None:
        """Record its end."""
        body = event.to_json()
        # A later release may know more outcomes; of them only that it has ended is known here.
        known = set(ExperimentOutcome)
        await self._queries.conclude_experiment(
            tx,
            tenant_id=event.tenant_id,
            experiment_id=event.experiment_id,
            state=event.outcome if event.outcome in known else ExperimentOutcome.KEPT,
            stop_reason=event.reason,
            winner=event.winner,
            arms=body.get("arms", []),
            difference=body.get("difference"),
            at=at,
        )

    async def search(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        agent_id: str | None,
        state: str | None,
        only: Collection[str] | None,
        limit: int,
        offset: int = 0,
    ) -> list[ExperimentView]:
        """Experiments of a tenant, newest first; `only` are the agents that a key may name."""
        rows = self._queries.experiments(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            state=state,
            agents=None if only is None else sorted(only),
            limit=limit,
            offset=offset,
        )
        return [to_experiment(dict(row)) async for row in rows]

    async def find(self, tx: Tx, caller: Caller, experiment_id: UUID) -> ExperimentDetail:
        """An experiment with all its measures.

        Raises:
            NotFound: there is none of the caller's.
        """
        tenant_id = caller.tenant_id
        row = await self._queries.find_experiment(
            tx, tenant_id=tenant_id, experiment_id=experiment_id
        )
        if row is None:
            raise NotFound("experiment", experiment_id)
        found: Mapping[str, Any] = dict(row)
        hide_other_agents(caller, found["agent_id"], "experiment", experiment_id)
        rows = self._queries.experiment_measures(
            tx, tenant_id=tenant_id, experiment_id=experiment_id, limit=MAX_MEASURES
        )
        measures = tuple([to_measure(each["body"]) async for each in rows])
        return ExperimentDetail(**dict(to_experiment(found)), measures=measures)
