"""Gathers an agent's logs as leased work, and hands them to the evaluator."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from archon_contracts.commands import AnalyzeInteractions, AnalyzeLogs
from archon_contracts.events import LogAnalysisFailed
from archon_contracts.formats import LOG_FILE
from archon_contracts.values import ArtifactRef
from services.coordinator.domain import AgentKey
from services.coordinator.errors import NothingLogged
from services.coordinator.log_export.records import Kind, to_lines
from services.coordinator.log_export.store import LogStore, StoredLog
from shared.artifacts.store import ArtifactStore
from shared.errors import PermanentError
from shared.logging import get_logger
from shared.messaging.messages import Message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx
from shared.work.queue import Lease, WorkQueue

EXPORT_LOGS: Final = "export_logs"
"""The kind of the work; its key is the analysis."""
PAGE_ROWS: Final = 256
"""Rows in memory at a time, as of a window's export."""
MAXIMUM_BYTES: Final = 64 * 2**20
KINDS: Final[tuple[Kind, ...]] = ("interaction", "feedback")
LAST_ID: Final = UUID(int=2**128 - 1)
"""After every id: the first page begins at the end of the period."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExportedLogs:
    """The published records; `is_cut` when older ones of the period are left out."""

    records: ArtifactRef
    is_cut: bool


class LogExport:
    """Takes the command, and is the `WorkHandler` of the work that it queues."""

    def __init__(
        self, store: LogStore, artifacts: ArtifactStore, queue: WorkQueue, outbox: Outbox
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._queue = queue
        self._outbox = outbox

    async def accept(self, tx: Tx, message: Message[AnalyzeLogs]) -> None:
        """Queue the export; the same message again is the same row of work."""
        command = message.body
        await self._queue.enqueue(
            tx,
            kind=EXPORT_LOGS,
            key=str(command.analysis_id),
            payload=command.to_json(),
            cause=message.cause,
        )
        log.info("log_export_accepted", analysis_id=str(command.analysis_id))

    async def run(self, lease: Lease) -> ExportedLogs:
        """Publish the records of the period, each page in a transaction of its own.

        Raises:
            NothingLogged: there is none.
        """
        command = AnalyzeLogs.model_validate(lease.payload)
        with tempfile.TemporaryDirectory(prefix="archon-logs-") as folder:
            path = Path(folder) / LOG_FILE
            with path.open("wb") as file:
                cut = [
                    await self._write(lease, command, file, k) for k in ("interaction", "feedback")
                ]
            if not path.stat().st_size:
                raise NothingLogged(
                    f"agent {command.agent_id} reported neither an interaction nor feedback since "
                    f"{command.since:%Y-%m-%d %H:%M} UTC; log interactions, or name more hours"
                )
            return ExportedLogs(await self._artifacts.publish(Path(folder)), any(cut))

    async def complete(self, tx: Tx, lease: Lease, result: ExportedLogs) -> None:
        """Let the evaluator analyse them."""
        command = AnalyzeLogs.model_validate(lease.payload)
        analyze = AnalyzeInteractions(
            tenant_id=command.tenant_id,
            analysis_id=command.analysis_id,
            agent_id=command.agent_id,
            records=result.records,
            is_cut=result.is_cut,
            plan=command.plan,
        )
        await self._outbox.append(tx, analyze, cause=replace(lease.cause, traceparent=""))

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The analysis fails and says why."""
        command = AnalyzeLogs.model_validate(lease.payload)
        failed = LogAnalysisFailed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            analysis_id=command.analysis_id,
            error_type=type(error).__name__,
            reason=str(error),
            retryable=not isinstance(error, PermanentError),
        )
        await self._outbox.append(tx, failed, cause=replace(lease.cause, traceparent=""))

    async def _write(self, lease: Lease, command: AnalyzeLogs, file: BinaryIO, kind: Kind) -> bool:
        """Write the newest records of a kind; returns whether older ones are left out."""
        find = self._find_page(kind)
        key = AgentKey(command.tenant_id, command.agent_id)
        before, left, start = (command.until, LAST_ID), command.most, file.tell()
        while True:
            async with self._queue.guarded(lease) as tx:
                page = await find(tx, key, command.since, before, PAGE_ROWS)
            # Decoding is work of the processor, and the loop serves others meanwhile.
            file.write(await asyncio.to_thread(partial(to_lines, kind, page[:left])))
            left -= len(page)
            if left < 0 or file.tell() - start > MAXIMUM_BYTES:
                return True
            if len(page) < PAGE_ROWS:
                return False
            before = (page[-1].received_at, page[-1].event_id)

    def _find_page(self, kind: Kind) -> Callable[..., Awaitable[list[StoredLog]]]:
        return self._store.find_interactions if kind == "interaction" else self._store.find_feedback
