"""The use cases of data preparation."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.commands import EraseItems, PrepareDataset
from archon_contracts.events import DatasetPrepared, DatasetRejected, QualityReport
from archon_contracts.values import ArtifactRef
from services.data_prep.dataset_writer import derive_dataset_id
from services.data_prep.domain import Item, PreparationPolicy, PreparedSummary
from services.data_prep.ports import DatasetStore
from services.data_prep.sampling.replay_buffer import select_retained
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx
from shared.work.queue import WorkQueue

PREPARE = "prepare"


class DataPrepService:
    """Queues commands for datasets and stores their results."""

    def __init__(
        self, store: DatasetStore, outbox: Outbox, queue: WorkQueue, policy: PreparationPolicy
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._queue = queue
        self._policy = policy

    async def queue_preparation(self, tx: Tx, message: Message[PrepareDataset]) -> None:
        """Queue the work; a command that was carried out before is answered at once."""
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
        """Remove retracted items from the replay buffer and from every later dataset."""
        command = message.body
        await self._store.lock_agent(tx, command.tenant_id, command.agent_id)
        await self._store.erase_feedback(tx, command.tenant_id, command.agent_id, command.item_ids)

    async def republish_result(self, tx: Tx, command: PrepareDataset, cause: Cause) -> bool:
        """Publish the result of an earlier run of this command again; False when there is none."""
        known = await self._store.find_dataset(tx, derive_dataset_id(command))
        if known is None:
            return False
        await self._outbox.append(tx, known, cause=cause)
        return True

    async def read_replay_items(self, tx: Tx, command: PrepareDataset) -> list[Item]:
        """The agent's replay buffer; empty where neither replay nor trust needs it."""
        if not command.plan.replay_ratio and not command.trust.enabled:
            return []
        return await self._store.read_replay_buffer(tx, command.tenant_id, command.agent_id)

    async def read_erased_feedback_ids(self, tx: Tx, command: PrepareDataset) -> frozenset[str]:
        """The feedback ids that no dataset of the agent may contain any more."""
        return await self._store.read_erased_feedback_ids(tx, command.tenant_id, command.agent_id)

    async def record_prepared(
        self,
        tx: Tx,
        command: PrepareDataset,
        prepared: PreparedSummary,
        artifact: ArtifactRef,
        cause: Cause,
    ) -> None:
        """Give the dataset its version, update the replay buffer and publish the result.

        Idempotent: two workers that carried out one command give one version.
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
            items=dict(prepared.counts),
            quality=prepared.quality,
        )
        await self._store.insert_dataset(tx, event)
        await self._update_replay_buffer(tx, command, prepared.learned, event.dataset_version)
        await self._outbox.append(tx, event, cause=cause)

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
        await self._outbox.append(tx, event, cause=cause)

    async def _update_replay_buffer(
        self, tx: Tx, command: PrepareDataset, learned: Sequence[Item], version: int
    ) -> None:
        """Add the new items; remove what is over the capacity."""
        tenant_id, agent_id = command.tenant_id, command.agent_id
        capacity = self._policy.replay_capacity
        erased_feedback_ids = await self._store.read_erased_feedback_ids(tx, tenant_id, agent_id)
        not_erased = (item for item in learned if erased_feedback_ids.isdisjoint(item.feedback_ids))
        entering = select_retained(not_erased, capacity)
        await self._store.upsert_replay_items(tx, tenant_id, agent_id, entering, version)
        memory = await self._store.read_replay_buffer(tx, tenant_id, agent_id)
        kept = {item.key for item in select_retained(memory, capacity)}
        leaving = [item for item in memory if item.key not in kept]
        await self._store.delete_replay_items(tx, tenant_id, agent_id, leaving)
