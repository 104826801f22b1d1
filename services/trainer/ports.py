"""What the trainer needs of its store, of child processes and of the shared mechanism."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.commands import CancelTraining, TrainModel
from archon_contracts.values import ArtifactRef
from services.trainer.domain import TrainingState
from shared.messaging.messages import Cause
from shared.postgres.database import Tx
from shared.work.queue import Lease


class AttemptStore(Protocol):
    """Which attempt of a job is the newest."""

    async def accept_attempt(self, tx: Tx, command: TrainModel) -> bool: ...

    async def cancel_attempt(self, tx: Tx, command: CancelTraining) -> bool: ...


class WorkQueue(Protocol):
    """Long work, written in the caller's transaction."""

    async def enqueue(
        self, tx: Tx, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID: ...

    async def cancel(self, tx: Tx, *, kind: str, key: str) -> int: ...


class AttemptRecords(Protocol):
    """Keeps how attempts ended."""

    async def end_attempt(
        self, tx: Tx, job_id: UUID, attempt: int, state: TrainingState
    ) -> None: ...


class Children(Protocol):
    """Runs functions in forked child processes."""

    async def run(
        self,
        entry: str,
        spec: Mapping[str, Any],
        on_report: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> dict[str, Any]: ...


class ArtifactStore(Protocol):
    """Content-addressed folders."""

    async def publish(self, folder: Path) -> ArtifactRef: ...

    async def publish_over(self, base: ArtifactRef, folder: Path) -> ArtifactRef: ...

    async def fetch(self, ref: ArtifactRef) -> Path: ...

    async def locate(self, ref: ArtifactRef) -> Path: ...

    async def fetch_model(self, ref: ArtifactRef) -> Path: ...


class Outbox(Protocol):
    """Queues messages in the caller's transaction."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...


class Guard(Protocol):
    """Opens transactions that hold only while the lease does."""

    def guarded(self, lease: Lease) -> AbstractAsyncContextManager[Tx]: ...
