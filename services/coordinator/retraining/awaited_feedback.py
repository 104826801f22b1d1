"""Jobs that wait for the feedback that their request names.

Feedback and requests travel on two topics, so that a request may overtake its feedback. Its job
begins when all of it is stored, or fails with the reason when the wait is over.
"""

from __future__ import annotations

from datetime import timedelta

from services.coordinator.domain import AgentKey, Job
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.retraining.ports import AwaitedRecords
from shared.logging import get_logger
from shared.ports import Clock
from shared.postgres.database import Tx

log = get_logger(__name__)


class AwaitedFeedback:
    """The caller holds the lock of the job and of the agent's statistics."""

    def __init__(
        self,
        records: AwaitedRecords,
        transitions: JobTransitions,
        clock: Clock,
        *,
        wait_seconds: float,
    ) -> None:
        self._records = records
        self._transitions = transitions
        self._clock = clock
        self._wait = timedelta(seconds=wait_seconds)
        self._running_since = clock.now()

    async def must_wait(self, tx: Tx, job: Job) -> bool:
        """Whether feedback of the job is not stored yet; its wait begins with the first look."""
        missing = await self._count_missing(tx, job)
        if not missing:
            return False
        await self._records.set_awaits_feedback(tx, job.key, awaits=True)
        if job.facts.feedback_wait_until is None:
            await self._wait_until(tx, job)
            log.info("job_awaits_feedback", job_id=str(job.job_id), missing=missing)
        return True

    async def stop_waiting(self, tx: Tx, key: AgentKey) -> None:
        """No job of the agent waits any longer."""
        await self._records.set_awaits_feedback(tx, key, awaits=False)

    async def end(self, tx: Tx, job: Job) -> str:
        """Why a job past its wait fails; empty: it waits on, or need not wait any longer.

        A coordinator that was not running stored nothing, so the wait begins anew with its start.
        """
        missing, now = await self._count_missing(tx, job), self._clock.now()
        if missing and now >= self._running_since + self._wait:
            return (
                f"{missing} of the {len(set(job.facts.awaited_feedback))} feedback events that it "
                f"was given were not stored within {self._wait.total_seconds():g} s; look for "
                "them among the dead letters, then send the request again"
            )
        await self._wait_until(tx, job)
        return ""

    async def _count_missing(self, tx: Tx, job: Job) -> int:
        awaited = set(job.facts.awaited_feedback)
        if not awaited:
            return 0
        return len(awaited) - await self._records.count_stored(tx, job.key, awaited)

    async def _wait_until(self, tx: Tx, job: Job) -> None:
        until = self._clock.now() + self._wait
        facts = job.facts.model_copy(update={"feedback_wait_until": until})
        await self._transitions.update_facts(tx, job, facts, deadline_at=until)
