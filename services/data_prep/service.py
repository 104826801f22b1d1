"""The use cases of data preparation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.commands import EraseItems, PrepareDataset
from archon_contracts.events import DatasetPrepared, DatasetRejected, QualityReport
from archon_contracts.values import ArtifactRef
from services.data_prep.dataset_writer import derive_dataset_id
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset
from services.data_prep.sampling import replay_buffer as replay
from shared.messaging.messages import Cause, Message
from shared.postgres.database import Tx

PREPARE = "prepare"


class DatasetStore(Protocol):
    """Dataset versions and the replay memory."""

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


class Events(Protocol):
    """Where events leave."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...


class Queue(Protocol):
    """Where long work waits."""

    async def enqueue(
        self, tx: Tx, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID: ...


class DataPrepService:
    """Takes orders for datasets and keeps what came of them."""

    def __init__(
        self, store: DatasetStore, events: Events, queue: Queue, policy: PreparationPolicy
    ) -> None:
        self._store = store
        self._events = events
        self._queue = queue
        self._policy = policy

    async def queue_preparation(self, tx: Tx, message: Message[PrepareDataset]) -> None:
        """Queue the work; an order that was carried out before is answered at once."""
        command = message.body
        if not await self.republish_result(tx, command, message.cause):
            await self._queue.enqueue(
                tx,
                kind=PREPARE,
                key=str(command.job_id),
                payload=command.to_json(),
                cause=message.cause,
            )

    async def erase_items(self, tx: Tx, message: Message[EraseItems]) -> None:
        """Retracted items leave the memory, and what is being prepared goes without them."""
        command = message.body
        await self._store.lock_agent(tx, command.tenant_id, command.agent_id)
        await self._store.erase_feedback(tx, command.tenant_id, command.agent_id, command.item_ids)

    async def republish_result(self, tx: Tx, command: PrepareDataset, cause: Cause) -> bool:
        """Say again what came of this order; False when nothing has yet."""
        known = await self._store.find_dataset(tx, derive_dataset_id(command))
        if known is None:
            return False
        await self._events.append(tx, known, cause=cause)
        return True

    async def read_replay_items(self, tx: Tx, command: PrepareDataset) -> list[Item]:
        """What is remembered of the agent; nothing where it is neither replayed nor asked."""
        if not command.plan.replay_ratio and not command.trust.enabled:
            return []
        return await self._store.read_replay_buffer(tx, command.tenant_id, command.agent_id)

    async def read_erased_feedback_ids(self, tx: Tx, command: PrepareDataset) -> frozenset[str]:
        """The feedback ids that no dataset of the agent may hold any more."""
        return await self._store.read_erased_feedback_ids(tx, command.tenant_id, command.agent_id)

    async def record_prepared(
        self,
        tx: Tx,
        command: PrepareDataset,
        prepared: PreparedDataset,
        artifact: ArtifactRef,
        cause: Cause,
    ) -> None:
        """Give the dataset its version, remember its items and publish it.

        Idempotent: two workers that carried out one order give one version.
        """
        last_version = await self._store.lock_agent(tx, command.tenant_id, command.agent_id)
        if await self.republish_result(tx, command, cause):
            return
        event = DatasetPrepared(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            job_id=command.job_id,
            dataset_id=derive_dataset_id(command),
            dataset_version=last_version + 1,
            artifact=artifact,
            items=prepared.counts,
            quality=prepared.quality,
        )
        await self._store.insert_dataset(tx, event)
        await self._update_replay_buffer(tx, command, prepared.learned, event.dataset_version)
        await self._events.append(tx, event, cause=cause)

    async def record_rejected(
        self,
        tx: Tx,
        command: PrepareDataset,
        reason: str,
        quality: QualityReport | None,
        cause: Cause,
    ) -> None:
        """Publish that these sources give no dataset."""
        event = DatasetRejected(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            job_id=command.job_id,
            reason=reason,
            quality=quality,
        )
        await self._events.append(tx, event, cause=cause)

    async def _update_replay_buffer(
        self, tx: Tx, command: PrepareDataset, learned: Sequence[Item], version: int
    ) -> None:
        """New items enter the memory; what does not fit any more leaves it."""
        tenant_id, agent_id = command.tenant_id, command.agent_id
        capacity = self._policy.replay_capacity
        erased_feedback_ids = await self._store.read_erased_feedback_ids(tx, tenant_id, agent_id)
        not_erased = (item for item in learned if erased_feedback_ids.isdisjoint(item.feedback_ids))
        entering = replay.select_retained(not_erased, capacity)
        await self._store.upsert_replay_items(tx, tenant_id, agent_id, entering, version)
        memory = await self._store.read_replay_buffer(tx, tenant_id, agent_id)
        kept = {item.key for item in replay.select_retained(memory, capacity)}
        leaving = [item for item in memory if item.key not in kept]
        await self._store.delete_replay_items(tx, tenant_id, agent_id, leaving)
