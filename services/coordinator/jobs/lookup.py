"""The job that a message is about, if the message means something in its state."""

from __future__ import annotations

from services.coordinator.domain import Job
from services.coordinator.jobs.ports import HasJobId, LockedJobs
from services.coordinator.jobs.state_machine import JobEvent, next_state
from shared.logging import get_logger
from shared.postgres.database import Tx

log = get_logger(__name__)


async def find_expected_job(
    jobs: LockedJobs, tx: Tx, body: HasJobId, event: JobEvent
) -> Job | None:
    """The job, locked; None, and a log line, when the event means nothing to it."""
    job = await jobs.lock_job(tx, body.job_id) if body.job_id else None
    # To a message of another tenant the job does not exist.
    if job is None or job.key.tenant_id != body.tenant_id:
        log.info("unknown_job_ignored", job_id=str(body.job_id))
        return None
    if next_state(job.state, event) is None:
        log.info("event_ignored", job_id=str(job.job_id), state=job.state, job_event=event)
        return None
    return job
