"""What the generator needs of its store and of the shared mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.events import SyntheticDataGenerated
from archon_contracts.values import ArtifactRef
from shared.messaging.messages import Cause
from shared.postgres.database import Tx
from shared.work.queue import Lease


class AnswerStore(Protocol):
    """Answers to requests, how far open ones are, and replies of models."""

    async def find_result(
        self, tx: Tx, tenant_id: str, request_id: UUID
    ) -> SyntheticDataGenerated | None: ...
    async def insert_result(self, tx: Tx, answer: SyntheticDataGenerated) -> None: ...
    async def find_segments(
        self, tx: Tx, tenant_id: str, request_id: UUID
    ) -> list[dict[str, Any]]: ...
    async def insert_segment(
        self, tx: Tx, tenant_id: str, request_id: UUID, segment: Mapping[str, Any]
    ) -> None: ...
    async def delete_segments(self, tx: Tx, tenant_id: str, request_id: UUID) -> None: ...
    async def find_llm_replies(self, tx: Tx, tenant_id: str) -> dict[str, str]: ...
    async def insert_llm_replies(
        self, tx: Tx, tenant_id: str, replies: Mapping[str, str]
    ) -> None: ...


class Outbox(Protocol):
    """Where events leave."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...


class WorkQueue(Protocol):
    """Where long work waits."""

    async def enqueue(
        self, tx: Tx, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID: ...
    async def cancel(self, tx: Tx, *, kind: str, key: str) -> int: ...


class LeasedQueue(Protocol):
    """Transactions in which a lease holds."""

    def guarded(self, lease: Lease) -> AbstractAsyncContextManager[Tx]: ...


class ArtifactStore(Protocol):
    """Where folders lie."""

    async def fetch(self, ref: ArtifactRef) -> Path: ...
    async def fetch_model(self, ref: ArtifactRef) -> Path: ...
    async def publish(self, folder: Path) -> ArtifactRef: ...
    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef: ...
