"""What the service needs of its store; only `app.py` sees both."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from archon_contracts.values import AgentKind, AgentProfile, TrainingMethod
from services.gateway.domain import DatasetView, JobSummary, JobView, ModelView, SyntheticView
from shared.postgres.database import Tx


class ServiceStore(Protocol):
    """Both implementations pass tests/contract/gateway/test_service_store.py."""

    async def agent_kind(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentKind | None: ...

    async def announced_methods(
        self, tx: Tx, *, seen_after: datetime
    ) -> Mapping[AgentKind, Collection[TrainingMethod]]: ...

    async def datasets(
        self, tx: Tx, tenant_id: str, *, name: str | None = None, limit: int = 1000
    ) -> list[DatasetView]: ...

    async def add_requested_job(
        self,
        tx: Tx,
        tenant_id: str,
        job: JobSummary,
        *,
        config: Mapping[str, Any],
        requested_by: str,
    ) -> None: ...

    async def find_job(
        self, tx: Tx, tenant_id: str, job_id: UUID, *, now: datetime
    ) -> JobView | None: ...

    async def count_open_jobs(self, tx: Tx, tenant_id: str) -> int: ...

    async def count_open_synthetic(
        self, tx: Tx, tenant_id: str, except_id: UUID, since: datetime
    ) -> int: ...

    async def models(
        self, tx: Tx, tenant_id: str, agent_id: str, *, version: str | None = None
    ) -> list[ModelView]: ...

    async def agent_profile(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentProfile | None: ...

    async def find_synthetic_request(
        self, tx: Tx, tenant_id: str, request_id: UUID
    ) -> SyntheticView | None: ...

    async def add_synthetic_request(
        self, tx: Tx, tenant_id: str, request_id: UUID, request: Mapping[str, Any], at: datetime
    ) -> None: ...
