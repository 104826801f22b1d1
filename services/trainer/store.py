"""The trainer's table, typed: one method per query."""

from __future__ import annotations

from uuid import UUID

from archon_contracts.commands import CancelTraining, TrainModel
from services.trainer.domain import TrainingState
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class TrainingStore:
    """The newest attempt of each job."""

    def __init__(self) -> None:
        self._queries = load_queries("services.trainer")

    async def accept_attempt(self, tx: Tx, command: TrainModel) -> bool:
        """Whether the attempt is newer than every one known of its job; it is kept then."""
        accepted: bool | None = await self._queries.accept_attempt(
            tx,
            job_id=command.job_id,
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            attempt=command.attempt,
        )
        return bool(accepted)

    async def cancel_attempt(self, tx: Tx, command: CancelTraining) -> bool:
        """Whether the attempt was not over; it is then, and cannot be accepted any more."""
        cancelled: bool | None = await self._queries.cancel_attempt(
            tx,
            job_id=command.job_id,
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            attempt=command.attempt,
        )
        return bool(cancelled)

    async def end_attempt(self, tx: Tx, job_id: UUID, attempt: int, state: TrainingState) -> None:
        """Keep how an accepted attempt ended."""
        await self._queries.end_attempt(tx, job_id=job_id, attempt=attempt, state=state)

    async def list_open_jobs(self, tx: Tx) -> set[UUID]:
        """Jobs whose newest attempt waits or runs."""
        return {row["job_id"] async for row in self._queries.list_open_jobs(tx)}
