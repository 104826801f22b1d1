"""One analysis from lease to event: fetch the records, let a child analyse them, publish."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from archon_contracts.commands import AnalyzeInteractions
from archon_contracts.events import LogAnalysisFailed, LogAnalysisProgressed, LogsAnalyzed
from services.evaluator.log_analysis.child import ANALYSIS_ENTRY
from shared.artifacts.store import ArtifactStore
from shared.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    ChildFailed,
    PermanentError,
    RetryableError,
)
from shared.logging import get_logger
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.work.child_pool import ChildPool
from shared.work.queue import Lease, WorkQueue

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FoundInLogs:
    """A finished analysis, before it is written: fields of `LogsAnalyzed`."""

    fields: dict[str, Any]
    took: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnalysisWorker:
    """The `WorkHandler` of analyses: everything is repeatable until `complete` commits."""

    children: ChildPool
    artifacts: ArtifactStore
    queue: WorkQueue
    outbox: Outbox
    clock: Clock
    threads: int
    entry: str = ANALYSIS_ENTRY

    async def run(self, lease: Lease) -> FoundInLogs:
        """Analyse the records in a child."""
        command = AnalyzeInteractions.model_validate(lease.payload)
        started = self.clock.now()
        reference = await self._fetch_reference(command)
        spec = {
            "command": command.to_json(),
            "records": str(await self.artifacts.fetch(command.records)),
            "reference": str(reference) if reference else None,
            "threads": self.threads,
        }
        fields = await self.children.run(self.entry, spec, self._publish_progress(lease, command))
        return FoundInLogs(fields, self.clock.now() - started)

    async def complete(self, tx: Tx, lease: Lease, result: FoundInLogs) -> None:
        """Publish what was found."""
        command = AnalyzeInteractions.model_validate(lease.payload)
        analyzed = LogsAnalyzed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            analysis_id=command.analysis_id,
            duration_seconds=result.took.total_seconds(),
            **result.fields,
        )
        await self.outbox.append(tx, analyzed, cause=replace(lease.cause, traceparent=""))

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The logs could not be analysed; unless the error is permanent, another try may help."""
        command = AnalyzeInteractions.model_validate(lease.payload)
        failed = LogAnalysisFailed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            analysis_id=command.analysis_id,
            error_type=error.error_type if isinstance(error, ChildFailed) else type(error).__name__,
            reason=str(error),
            retryable=not isinstance(error, PermanentError),
        )
        await self.outbox.append(tx, failed, cause=replace(lease.cause, traceparent=""))

    async def _fetch_reference(self, command: AnalyzeInteractions) -> Path | None:
        if command.plan.reference is None:
            return None
        try:
            return await self.artifacts.fetch(command.plan.reference)
        except (ArtifactMissing, ArtifactCorrupt) as error:
            # A dataset that is gone costs the test of drift, and not the analysis.
            log.warning("reference_not_fetched", reason=str(error))
            return None

    def _publish_progress(
        self, lease: Lease, command: AnalyzeInteractions
    ) -> Callable[[dict[str, Any]], Awaitable[None]]:
        async def publish(report: dict[str, Any]) -> None:
            if report.get("event") != "progress":
                return
            progressed = LogAnalysisProgressed(
                tenant_id=command.tenant_id,
                agent_id=command.agent_id,
                analysis_id=command.analysis_id,
                stage=report["stage"],
                done=report["done"],
                total=report["total"],
            )
            try:
                async with self.queue.guarded(lease) as tx:
                    await self.outbox.append(
                        tx,
                        progressed,
                        cause=replace(lease.cause, traceparent=""),
                        # One event for each stage: without it all would have one id.
                        part=f"{lease.attempt} {report['done']}",
                    )
            except RetryableError as error:
                # Progress is for people to look at: the analysis goes on without it.
                log.warning("progress_not_published", reason=str(error))

        return publish
