"""What the generator needs of its store and of the shared mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.events import SyntheticDataGenerated
from archon_contracts.values import ArtifactRef
from shared.messaging.messages import Cause
from shared.postgres.database import Tx


class AnswerStore(Protocol):
    """Answers to requests."""

    async def find_result(
        self, tx: Tx, tenant_id: str, request_id: UUID
    ) -> SyntheticDataGenerated | None: ...
    async def insert_result(self, tx: Tx, answer: SyntheticDataGenerated) -> None: ...


class Outbox(Protocol):
    """Where events leave."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...


class WorkQueue(Protocol):
    """Where long work waits."""

    async def enqueue(
        self, tx: Tx, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID: ...


class ArtifactStore(Protocol):
    """Where folders lie."""

    async def fetch(self, ref: ArtifactRef) -> Path: ...
    async def publish(self, folder: Path) -> ArtifactRef: ...
    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef: ...
