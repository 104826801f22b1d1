"""What data preparation's use cases need of their store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from archon_contracts.events import DatasetPrepared
from services.data_prep.domain import Item
from shared.postgres.database import Tx


class DatasetStore(Protocol):
    """Dataset versions and replay buffers; never commits."""

    async def find_dataset(self, tx: Tx, dataset_id: UUID) -> DatasetPrepared | None: ...
    async def lock_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> int: ...
    async def insert_dataset(self, tx: Tx, prepared: DatasetPrepared) -> None: ...
    async def read_replay_buffer(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Item]: ...
    async def upsert_replay_items(
        self, tx: Tx, tenant_id: str, agent_id: str, items: Sequence[Item], version: int
    ) -> None: ...
    async def delete_replay_items(
        self, tx: Tx, tenant_id: str, agent_id: str, items: Iterable[Item]
    ) -> None: ...
    async def erase_feedback(
        self, tx: Tx, tenant_id: str, agent_id: str, item_ids: Sequence[str]
    ) -> None: ...
    async def read_erased_feedback_ids(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> frozenset[str]: ...
