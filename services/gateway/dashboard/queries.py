"""Reads of the dashboard's own: what each costs does not grow with what is stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.values import TriggerPolicy
from services.gateway.auth.agent_binding import hide_other_agents
from services.gateway.auth.credentials import Caller
from services.gateway.domain import PreparedDatasetView
from services.gateway.errors import NotFound
from services.gateway.views.base import View
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class AgentRow(View):
    """An agent in the overview; what was counted is of the time since `since`."""

    agent_id: str
    kind: str
    minimum_feedback: int
    maximum_feedback: int
    trigger_enabled: bool
    parked_reason: str | None
    version: str | None
    deployed_at: datetime | None
    accuracy: dict[str, Any] | None
    """Estimate of the version's evaluation, all items; None: not evaluated."""
    open_job: UUID | None
    open_state: str | None
    feedback: int | None
    corrected: int | None
    rated: int | None
    rating_sum: float | None
    last_hour: datetime | None
    unused: int | None = None
    """Feedback in no window; None: the coordinator has said nothing of the agent yet."""
    experiment_id: UUID | None = None
    experiment_mode: str | None = None
    last_event: str | None = None
    """The type of its newest event that is still kept; None: none is."""
    last_event_at: datetime | None = None

    @property
    def fires_at(self) -> int:
        """Unused feedback that fires the trigger: a window never holds more than its maximum."""
        return min(self.minimum_feedback, self.maximum_feedback)

    @property
    def mean_rating(self) -> float | None:
        """Mean of the ratings in stars, 1 to 5; None: none was given."""
        return (self.rating_sum or 0.0) / self.rated if self.rated else None


class DashboardQueries:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def overview_agents(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        only: Collection[str] | None,
        since: datetime,
        limit: int,
        offset: int,
    ) -> list[AgentRow]:
        """A page of agents by name."""
        rows = self._queries.overview_agents(
            tx,
            tenant_id=tenant_id,
            agents=None if only is None else sorted(only),
            since=since,
            limit=limit,
            offset=offset,
        )
        return [AgentRow(**_with_default(row)) async for row in rows]

    async def prepared_dataset(
        self, tx: Tx, caller: Caller, dataset_id: UUID
    ) -> PreparedDatasetView:
        """A dataset that was prepared for a job.

        Raises:
            NotFound: there is none, or it is of an agent that the key may not name.
        """
        row = await self._queries.find_prepared_dataset(
            tx, tenant_id=caller.tenant_id, dataset_id=dataset_id
        )
        if row is None:
            raise NotFound("dataset", dataset_id)
        found = PreparedDatasetView(**row["body"], prepared_at=row["prepared_at"])
        hide_other_agents(caller, found.agent_id, "dataset", dataset_id)
        return found

    async def preceding_dataset(
        self, tx: Tx, tenant_id: str, dataset: PreparedDatasetView
    ) -> UUID | None:
        """The one that was prepared for the agent before it; None: it is the first."""
        found: UUID | None = await self._queries.preceding_dataset(
            tx,
            tenant_id=tenant_id,
            agent_id=dataset.agent_id,
            prepared_at=dataset.prepared_at,
        )
        return found


def _with_default(row: Mapping[str, Any]) -> dict[str, Any]:
    """A profile of an earlier release may lack the field, which then has its default."""
    found, defaults = dict(row), TriggerPolicy()
    for name in ("minimum_feedback", "maximum_feedback"):
        if found[name] is None:
            found[name] = getattr(defaults, name)
    return found
