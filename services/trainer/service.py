"""Accept a training or cancel it; the run itself is in worker.py."""

from __future__ import annotations

from archon_contracts.commands import CancelTraining, TrainModel
from services.trainer.ports import AttemptStore, WorkQueue
from shared.logging import get_logger
from shared.messaging.messages import Message
from shared.postgres.database import Tx

WORK_KIND = "train"
UPDATE_KIND = "update"
"""Updates of the fast path have a lane of their own: behind a fine-tuning they would wait hours."""

log = get_logger(__name__)


class TrainerService:
    """The use cases; every one runs in the transaction of its message."""

    def __init__(self, attempts: AttemptStore, queue: WorkQueue) -> None:
        self._attempts = attempts
        self._queue = queue

    async def accept_training(self, tx: Tx, message: Message[TrainModel]) -> bool:
        """Queue the attempt and end older ones of its job; one that is not newer is dropped."""
        command = message.body
        if not await self._attempts.accept_attempt(tx, command):
            log.info("stale_attempt_ignored", job_id=command.job_id, attempt=command.attempt)
            return False
        key = str(command.job_id)
        await self._cancel(tx, key)
        kind = UPDATE_KIND if command.fast_path else WORK_KIND
        await self._queue.enqueue(
            tx, kind=kind, key=key, payload=command.to_json(), cause=message.cause
        )
        log.info("training_accepted", job_id=command.job_id, attempt=command.attempt)
        return True

    async def cancel_training(self, tx: Tx, message: Message[CancelTraining]) -> bool:
        """Cancel the attempt. The one who asked knows it, so no event follows."""
        command = message.body
        if not await self._attempts.cancel_attempt(tx, command):
            log.info("nothing_to_cancel", job_id=command.job_id, attempt=command.attempt)
            return False
        await self._cancel(tx, str(command.job_id))
        log.info("training_cancelled", job_id=command.job_id, reason=command.reason)
        return True

    async def _cancel(self, tx: Tx, key: str) -> None:
        for kind in (WORK_KIND, UPDATE_KIND):
            await self._queue.cancel(tx, kind=kind, key=key)
