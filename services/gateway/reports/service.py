"""Reads what the evaluation of a run found, and builds the run's report."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from archon_contracts.formats import CHANGES_FILE, EvaluationChanges, RunReport
from archon_contracts.values import ArtifactRef
from services.gateway.domain import JobView
from services.gateway.reports.builder import build_run_report
from services.gateway.views.metrics import MetricSample
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe
from shared.logging import get_logger

log = get_logger(__name__)


class RunReports:
    """Reports of runs whose records were read before; nothing here is in a transaction."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def build(self, job: JobView, points: Sequence[MetricSample]) -> RunReport:
        """The report of a job's run.

        Of an evaluation without a file of changes, or whose artifact is lost, the rest is given.
        """
        return build_run_report(job, points, await self.read_changes(job))

    async def read_changes(self, job: JobView) -> EvaluationChanges | None:
        """What the job's candidate changed; None: not evaluated, or its file is lost."""
        predictions = (job.evaluation or {}).get("predictions")
        if predictions is None:
            return None
        try:
            ref = ArtifactRef.model_validate(predictions)
            content = await self._artifacts.read(ref, CHANGES_FILE)
            return EvaluationChanges.model_validate_json(content)
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe, ValidationError) as error:
            # A later release may write what this one cannot read; the other parts still hold.
            reason = str(error) if not isinstance(error, ValidationError) else "not readable"
            log.warning("changes_unreadable", job_id=str(job.job_id), reason=reason)
            return None
