"""Accept an evaluation or cancel it; the scoring itself is in worker.py."""

from __future__ import annotations

from archon_contracts.commands import (
    AnalyzeInteractions,
    CancelBenchmark,
    EvaluateModel,
    RunBenchmark,
)
from archon_contracts.events import BenchmarkFailed, JobCancelled
from archon_contracts.events.benchmarks import CANCELLED
from services.evaluator.ports import EvaluationRepository
from shared.logging import get_logger
from shared.messaging.messages import Message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx
from shared.work.queue import WorkQueue

WORK_KIND = "evaluate"
UPDATE_KIND = "evaluate_update"
"""Updates of the fast path have a lane of their own: a large suite takes minutes to score."""

BENCHMARK_KIND = "benchmark"
"""Nor do jobs wait for what somebody only wants to see."""

ANALYSIS_KIND = "analyse_logs"

log = get_logger(__name__)


class EvaluatorService:
    """The use cases; every one runs in the transaction of its message."""

    def __init__(self, attempts: EvaluationRepository, queue: WorkQueue, outbox: Outbox) -> None:
        self._attempts = attempts
        self._queue = queue
        self._outbox = outbox

    async def accept_evaluation(self, tx: Tx, message: Message[EvaluateModel]) -> bool:
        """Queue the evaluation and end older ones of its job; one that is not newer is dropped."""
        command = message.body
        if not await self._attempts.accept_attempt(tx, command):
            log.info("stale_attempt_ignored", job_id=command.job_id, attempt=command.attempt)
            return False
        key = str(command.job_id)
        await self._cancel(tx, key)
        kind = UPDATE_KIND if command.update else WORK_KIND
        await self._queue.enqueue(
            tx, kind=kind, key=key, payload=command.to_json(), cause=message.cause
        )
        log.info("evaluation_accepted", job_id=command.job_id, attempt=command.attempt)
        return True

    async def accept_benchmark(self, tx: Tx, message: Message[RunBenchmark]) -> bool:
        """Queue the benchmark; the same message again is the same row of work."""
        command = message.body
        await self._queue.enqueue(
            tx,
            kind=BENCHMARK_KIND,
            key=str(command.benchmark_id),
            payload=command.to_json(),
            cause=message.cause,
        )
        log.info("benchmark_accepted", benchmark_id=command.benchmark_id, mode=command.mode)
        return True

    async def cancel_benchmark(self, tx: Tx, message: Message[CancelBenchmark]) -> bool:
        """Stop a benchmark that has not ended, and publish that it was; False: it has ended."""
        command = message.body
        key = str(command.benchmark_id)
        if not await self._queue.cancel(tx, kind=BENCHMARK_KIND, key=key):
            return False
        by = f" by {command.requested_by}" if command.requested_by else ""
        cancelled = BenchmarkFailed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            benchmark_id=command.benchmark_id,
            error_type=CANCELLED,
            reason=f"cancelled{by}: {command.reason}",
            retryable=False,
        )
        await self._outbox.append(tx, cancelled, cause=message.cause)
        log.info("benchmark_cancelled", benchmark_id=command.benchmark_id, reason=command.reason)
        return True

    async def accept_analysis(self, tx: Tx, message: Message[AnalyzeInteractions]) -> bool:
        """Queue the analysis; the same message again is the same row of work."""
        command = message.body
        await self._queue.enqueue(
            tx,
            kind=ANALYSIS_KIND,
            key=str(command.analysis_id),
            payload=command.to_json(),
            cause=message.cause,
        )
        log.info("analysis_accepted", analysis_id=command.analysis_id)
        return True

    async def cancel_evaluation(self, tx: Tx, message: Message[JobCancelled]) -> bool:
        """Stop scoring for a job that nobody wants any more."""
        job_id = message.body.job_id
        # Every service reads JobCancelled, and most jobs have no open evaluation here.
        if not await self._attempts.cancel_job(tx, job_id):
            return False
        await self._cancel(tx, str(job_id))
        log.info("evaluation_cancelled", job_id=job_id, reason=message.body.reason)
        return True

    async def _cancel(self, tx: Tx, key: str) -> None:
        for kind in (WORK_KIND, UPDATE_KIND):
            # An older attempt's result would be passed over by its number; its
            # computing time is better spent.
            await self._queue.cancel(tx, kind=kind, key=key)
