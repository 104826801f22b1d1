"""One benchmark from lease to event: fetch versions and suites, let a child run them, publish."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from archon_contracts.commands import RunBenchmark
from archon_contracts.events import (
    BenchmarkCompleted,
    BenchmarkDifference,
    BenchmarkedSuite,
    BenchmarkFailed,
    BenchmarkMode,
    BenchmarkProgressed,
    ModelCheck,
)
from archon_contracts.values import ArtifactRef
from services.evaluator.benchmarks.child import BENCHMARK_ENTRY
from services.evaluator.domain import GraderEndpoint
from services.evaluator.ports import GraderReplies
from shared.artifacts.store import ArtifactStore
from shared.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    ArtifactUnsafe,
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

PROGRESS_PERIOD: Final = timedelta(seconds=1)
"""Between two events of progress: a person reads them, and each is a record on the topic."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """A finished benchmark, before it is written."""

    results: tuple[BenchmarkedSuite, ...] = ()
    differences: tuple[BenchmarkDifference, ...] = ()
    checks: tuple[ModelCheck, ...] = ()
    reports: ArtifactRef | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkWorker:
    """The `WorkHandler` of benchmarks: everything is repeatable until `complete` commits."""

    children: ChildPool
    artifacts: ArtifactStore
    queue: WorkQueue
    outbox: Outbox
    clock: Clock
    threads: int
    replies: GraderReplies
    grader: GraderEndpoint | None = None
    device: str = "cpu"
    entry: str = BENCHMARK_ENTRY

    async def run(self, lease: Lease) -> BenchmarkResult:
        """Run every suite on every version."""
        command = RunBenchmark.model_validate(lease.payload)
        started = self.clock.now()
        verified = ModelCheck(
            name="verified", passed=True, detail="digest and signature of every file are right"
        )
        try:
            folders = {
                each.model.version: str(await self.artifacts.fetch_model(each.model.artifact))
                for each in command.versions
            }
        except (ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe) as error:
            if command.mode is not BenchmarkMode.VALIDATION:
                raise
            # The version's fault and no fault of the validation: the answer is no.
            return BenchmarkResult(checks=(replace_detail(verified, str(error)),))
        found, reports = await self._run_child(lease, command, folders)
        checks = tuple(ModelCheck.model_validate(each) for each in found["checks"])
        return BenchmarkResult(
            results=tuple(BenchmarkedSuite.model_validate(each) for each in found["results"]),
            differences=tuple(BenchmarkDifference.model_validate(d) for d in found["differences"]),
            checks=(verified, *checks) if command.mode is BenchmarkMode.VALIDATION else (),
            reports=reports,
            seconds=(self.clock.now() - started).total_seconds(),
        )

    async def complete(self, tx: Tx, lease: Lease, result: BenchmarkResult) -> None:
        """Publish the results."""
        command = RunBenchmark.model_validate(lease.payload)
        faults = find_faults(command, result)
        costs = [each.cost for each in result.results if each.cost is not None]
        completed = BenchmarkCompleted(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            benchmark_id=command.benchmark_id,
            mode=command.mode,
            passed=not faults,
            reasons=tuple(faults) or (_describe_success(command, result),),
            results=result.results,
            differences=result.differences,
            checks=result.checks,
            reports=result.reports,
            cost=sum(costs) if result.results and len(costs) == len(result.results) else None,
            duration_seconds=result.seconds,
        )
        await self.outbox.append(tx, completed, cause=replace(lease.cause, traceparent=""))

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The benchmark could not be run; unless the error is permanent, another try may help."""
        command = RunBenchmark.model_validate(lease.payload)
        failed = BenchmarkFailed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            benchmark_id=command.benchmark_id,
            error_type=error.error_type if isinstance(error, ChildFailed) else type(error).__name__,
            reason=str(error),
            retryable=not isinstance(error, PermanentError),
        )
        await self.outbox.append(tx, failed, cause=replace(lease.cause, traceparent=""))

    async def _run_child(
        self, lease: Lease, command: RunBenchmark, folders: Mapping[str, str]
    ) -> tuple[dict[str, Any], ArtifactRef | None]:
        golden = await self.artifacts.fetch(command.golden) if command.golden else None
        suites = {each.name: str(await self.artifacts.fetch(each.items)) for each in command.suites}
        with tempfile.TemporaryDirectory(prefix="archon-benchmark-") as folder:
            spec = {
                "command": command.to_json(),
                "folders": dict(folders),
                "suites": suites,
                "golden": str(golden) if golden else None,
                "output_dir": folder,
                "threads": self.threads,
                "device": self.device,
                "grader": await self._build_grader(lease, command.tenant_id),
            }
            progress = self._publish_progress(lease, command)
            found = await self.children.run(self.entry, spec, progress)
            if self.grader is not None and found.get("replies"):
                async with self.queue.guarded(lease) as tx:
                    await self.replies.insert_grader_replies(
                        tx, command.tenant_id, self.grader.name, found["replies"]
                    )
            files = _read_reports(Path(folder))
            reports = await self.artifacts.publish_files(files) if files else None
        return found, reports

    async def _build_grader(self, lease: Lease, tenant_id: str) -> dict[str, Any] | None:
        """The grader's endpoint with what it replied before; None: there is none."""
        if self.grader is None:
            return None
        async with self.queue.guarded(lease) as tx:
            known = await self.replies.find_grader_replies(tx, tenant_id, self.grader.name)
        return {**asdict(self.grader), "known": known}

    def _publish_progress(
        self, lease: Lease, command: RunBenchmark
    ) -> Callable[[dict[str, Any]], Awaitable[None]]:
        last = [self.clock.now() - PROGRESS_PERIOD]

        async def publish(report: dict[str, Any]) -> None:
            now = self.clock.now()
            if report.get("event") != "progress" or now - last[0] < PROGRESS_PERIOD:
                return
            last[0] = now
            progressed = BenchmarkProgressed(
                tenant_id=command.tenant_id,
                agent_id=command.agent_id,
                benchmark_id=command.benchmark_id,
                answered=report["answered"],
                total=report["total"],
                model_version=report["version"],
                suite=report["suite"],
            )
            try:
                async with self.queue.guarded(lease) as tx:
                    await self.outbox.append(
                        tx,
                        progressed,
                        cause=replace(lease.cause, traceparent=""),
                        # Without it all would have the id of the first one, which alone is sent.
                        part=f"{lease.attempt} {report['answered']}",
                    )
            except RetryableError as error:
                # Progress is for people to look at: the run goes on without it.
                log.warning("progress_not_published", reason=str(error))

        return publish


def _read_reports(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def replace_detail(check: ModelCheck, problem: str) -> ModelCheck:
    """The check as one that failed, and why."""
    return check.model_copy(update={"passed": False, "detail": problem})


def find_faults(command: RunBenchmark, result: BenchmarkResult) -> list[str]:
    """Why a benchmark did not pass: its checks, or for want of them its suites."""
    if command.mode is BenchmarkMode.VALIDATION:
        return [f"{each.name}: {each.detail}" for each in result.checks if each.passed is False]
    return [
        f"version {each.version}, {each.suite}: {each.reasons[0]}"
        for each in result.results
        if not each.passed
    ]


def _describe_success(command: RunBenchmark, result: BenchmarkResult) -> str:
    if command.mode is BenchmarkMode.VALIDATION:
        made = sum(each.passed is not None for each in result.checks)
        left = len(result.checks) - made
        return f"{made} checks hold" + (f", {left} could not be made" if left else "")
    return f"{len(result.results)} runs of suites passed"
