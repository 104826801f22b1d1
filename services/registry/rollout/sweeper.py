"""Ends experiments whose time is over, though no feedback comes."""

from __future__ import annotations

from services.registry.rollout.ports import ExperimentRecords
from services.registry.rollout.service import Rollouts
from shared.logging import get_logger
from shared.messaging.notifier import Notifier
from shared.ports import Clock
from shared.postgres.database import Database

MOST_AT_ONCE = 1000
"""Bounds one look, should an experiment refuse to end."""

log = get_logger(__name__)


class ExperimentSweeper:
    """Called every minute. It opens transactions of its own, as it has no inbox."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        experiments: ExperimentRecords,
        rollouts: Rollouts,
        clock: Clock,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._experiments = experiments
        self._rollouts = rollouts
        self._clock = clock

    async def sweep(self) -> None:
        """End each experiment that is over, in a transaction of its tenant."""
        now = self._clock.now()
        for _ in range(MOST_AT_ONCE):
            async with self._database.across_tenants() as tx:
                due = await self._experiments.find_due_agent(tx, now)
            if due is None:
                return
            async with self._database.transaction(due[0]) as tx:
                await self._rollouts.expire(tx, *due)
            self._notifier.notify()
        log.error("experiments_do_not_end", looked_at=MOST_AT_ONCE)
