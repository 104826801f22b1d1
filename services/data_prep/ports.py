"""What data preparation's use cases need of their store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from archon_contracts.events import DatasetPrepared
from services.data_prep.domain import Item, MemoryPart, MemoryPosition
from services.data_prep.sampling.reference_set import ReferenceCandidate
from shared.postgres.database import Tx


class DatasetStore(Protocol):
    """Dataset versions and what is remembered of them; never commits."""

    async def find_dataset(self, tx: Tx, dataset_id: UUID) -> DatasetPrepared | None: ...
    async def lock_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> int: ...
    async def insert_dataset(self, tx: Tx, prepared: DatasetPrepared) -> None: ...
    async def read_replay_buffer(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Item]: ...
    async def read_reference_candidates(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> list[ReferenceCandidate]: ...
    async def insert_remembered_items(
        self, tx: Tx, prepared: DatasetPrepared, part: MemoryPart, items: Sequence[Item]
    ) -> None: ...
    async def set_model_version(
        self, tx: Tx, tenant_id: str, agent_id: str, dataset_id: UUID, model_version: str
    ) -> None: ...
    async def find_memory_of_model(
        self, tx: Tx, tenant_id: str, agent_id: str, model_version: str
    ) -> MemoryPosition | None: ...
    async def enter_memory(
        self, tx: Tx, tenant_id: str, agent_id: str, version: int, *, vouched: bool
    ) -> None: ...
    async def leave_memory(
        self, tx: Tx, tenant_id: str, agent_id: str, after_sequence: int
    ) -> None: ...
    async def delete_stale_items(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        retained: Iterable[Item],
        *,
        pending_datasets: int,
        restorable_until: int,
    ) -> None: ...
    async def erase_feedback(
        self, tx: Tx, tenant_id: str, agent_id: str, item_ids: Sequence[str]
    ) -> None: ...
    async def read_erased_feedback_ids(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> frozenset[str]: ...
