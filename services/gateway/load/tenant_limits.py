"""How much one tenant may have under way: the trainings and generators are everybody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.errors import Overloaded
from services.gateway.ports import ServiceStore
from shared.ports import Clock
from shared.postgres.database import Tx

JOBS_WAIT_SECONDS: Final = 30.0
"""Retry-After of a tenant with too many jobs: about the time of a short training."""
SYNTHETIC_REQUEST_LIFETIME: Final = timedelta(hours=1)
"""A request without a result after this time does not count: its generator gave it up."""


class TenantLimits:
    """Refuses what a tenant adds to too much; a limit of 0 is no limit."""

    def __init__(self, store: ServiceStore, clock: Clock, *, max_jobs: int) -> None:
        self._store = store
        self._clock = clock
        self._max_jobs = max_jobs

    async def require_job_room(self, tx: Tx, identity: RequestIdentity) -> None:
        """Refuse one more job of a tenant that has too many under way or waiting.

        The repetition of a request that was accepted adds none, so it is answered as the first.
        Requests that arrive at the same moment may pass together: the coordinator counts again.

        Raises:
            Overloaded: with the limit; nothing of the request took effect.
        """
        if not self._max_jobs:
            return
        count = await self._store.count_open_jobs(tx, identity.tenant_id)
        if count < self._max_jobs or await self._is_known(tx, identity):
            return
        reason = f"{count} jobs of this tenant have not ended; wait for some or cancel them"
        raise Overloaded("jobs_per_tenant", reason, JOBS_WAIT_SECONDS)

    async def require_synthetic_room(self, tx: Tx, identity: RequestIdentity) -> None:
        """Refuse one more request for synthetic data of a tenant with too many without a result.

        Raises:
            Overloaded: with the limit.
        """
        if not self._max_jobs:
            return
        since = self._clock.now() - SYNTHETIC_REQUEST_LIFETIME
        count = await self._store.count_open_synthetic(tx, identity.tenant_id, identity.id, since)
        if count >= self._max_jobs:
            reason = f"{count} requests of this tenant for synthetic data have no result yet"
            raise Overloaded("synthetic_requests_per_tenant", reason, JOBS_WAIT_SECONDS)

    async def _is_known(self, tx: Tx, identity: RequestIdentity) -> bool:
        now = self._clock.now()
        return await self._store.find_job(tx, identity.tenant_id, identity.id, now=now) is not None
