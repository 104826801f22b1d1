"""The reports of one run, as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archon_contracts.base import Contract
from archon_contracts.commands import TrainModel
from archon_contracts.events import CheckpointSaved, MetricsRecorded, TrainingStarted
from services.trainer.domain import MetricBuffer, read_metric_points
from services.trainer.ports import Guard, Outbox
from shared.errors import RetryableError
from shared.logging import get_logger
from shared.ports import Clock
from shared.work.queue import Lease

log = get_logger(__name__)


class TrainingProgress:
    """Sends the events of one lease of a run, in the order of its reports.

    While the database is away events wait here and the run goes on; they leave with the next
    report, or with `close`.
    """

    def __init__(
        self,
        command: TrainModel,
        lease: Lease,
        worker_id: str,
        *,
        guard: Guard,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._command = command
        self._lease = lease
        self._worker_id = worker_id
        self._guard = guard
        self._outbox = outbox
        self._clock = clock
        self._points = MetricBuffer(clock.now())
        self._pending: list[Contract] = []
        self._sent = 0
        self._started: Mapping[str, Any] = {}

    async def report(self, report: Mapping[str, Any]) -> None:
        """Take one report of the child.

        Raises:
            LeaseLost: another worker has the work now, or it was cancelled.
        """
        match report["event"]:
            case "started":
                self._started = report
            case "first_step":
                self._pending.append(self._training_started(report))
            case "metrics":
                self._points.add(read_metric_points(report, self._clock.now()))
            case "checkpoint":
                self._flush_points()
                self._pending.append(self._checkpoint_saved(report))
            case unknown:
                log.warning("unknown_report", event_name=str(unknown))
        if self._points.is_due(self._clock.now()):
            self._flush_points()
        try:
            await self._send()
        except RetryableError as error:
            log.warning("progress_delayed", reason=str(error), events=len(self._pending))

    async def close(self) -> None:
        """Send what is left.

        Raises:
            LeaseLost: see `report`.
            RetryableError: the database is away.
        """
        self._flush_points()
        await self._send()

    async def _send(self) -> None:
        if not self._pending:
            return
        cause = replace(self._lease.cause, traceparent="")  # below the span of this run
        async with self._guard.guarded(self._lease) as tx:
            for number, event in enumerate(self._pending, start=self._sent):
                # The token distinguishes the leases of one attempt: a resumed run repeats steps.
                part = f"{self._lease.token}/{number}"
                await self._outbox.append(tx, event, cause=cause, part=part)
        # After the commit: a failed transaction leaves events pending, with the numbers
        # that they had.
        self._sent += len(self._pending)
        self._pending.clear()

    def _flush_points(self) -> None:
        points = self._points.drain(self._clock.now())
        if points:
            self._pending.append(MetricsRecorded(**self._event_fields(), points=points))

    def _training_started(self, report: Mapping[str, Any]) -> TrainingStarted:
        return TrainingStarted(
            **self._event_fields(),
            worker_id=self._worker_id,
            total_steps=self._started["total_steps"],
            resumed_from_step=self._started.get("resumed_from_step", 0),
            first_step_at=datetime.fromtimestamp(report["at"], tz=UTC),
        )

    def _checkpoint_saved(self, report: Mapping[str, Any]) -> CheckpointSaved:
        uri = Path(report["path"]).absolute().as_uri()
        return CheckpointSaved(**self._event_fields(), step=report["step"], uri=uri)

    def _event_fields(self) -> dict[str, Any]:
        command = self._command
        return {
            "tenant_id": command.tenant_id,
            "job_id": command.job_id,
            "agent_id": command.agent_id,
            "attempt": command.attempt,
        }
