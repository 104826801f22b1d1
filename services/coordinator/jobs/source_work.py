"""The leased work that gives a job its sources: files in the artifact store.

Publishing and reading files takes as long as the object store likes. It is done outside any
transaction, so that no job and no agent's statistics stay locked meanwhile; only the result is
committed. Repeating it is harmless: artifacts are addressed by their content, and a job that has
its sources already takes no others.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from archon_contracts.base import ValueObject
from archon_contracts.events import JobState
from archon_contracts.values import ArtifactRef
from services.coordinator.domain import Job

PUBLISH_SOURCES: Final = "publish_sources"
"""The kind of the work; its key is the job."""


class SourceWork(ValueObject):
    """What to publish for a job: the feedback of its window, or the dataset it was given."""

    tenant_id: str
    job_id: UUID
    agent_id: str = ""  # empty: queued before it was recorded
    window_id: UUID | None = None
    fast_path: bool = False
    """Whether the window is an update of the fast path."""
    dataset: ArtifactRef | None = None


def needed_source_work(job: Job) -> SourceWork | None:
    """The work that must be done before the command of the job's state can be sent.

    A provided dataset is read before planning, because the plan needs the number of its items. A
    window is exported after planning, as late as possible: what is retracted until then is left
    out of the files.
    """
    if job.facts.sources:
        return None
    provided, window = job.facts.provided_dataset, job.facts.window
    if job.state is JobState.PLANNING and provided is not None:
        return SourceWork(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            dataset=provided,
        )
    if job.state is JobState.PREPARING and window is not None:
        return SourceWork(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            window_id=window.window_id,
            fast_path=window.fast_path,
        )
    return None
