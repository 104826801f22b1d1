"""The use cases of data preparation."""

from __future__ import annotations

from dataclasses import dataclass

from archon_contracts.commands import EraseItems, PrepareDataset
from archon_contracts.events import (
    DatasetPrepared,
    DatasetRejected,
    ModelDeployed,
    ModelRegistered,
    ModelRolledBack,
    QualityReport,
)
from archon_contracts.values import ArtifactRef
from services.data_prep.dataset_writer import derive_dataset_id
from services.data_prep.domain import (
    Item,
    MemoryPart,
    PreparationPolicy,
    PreparedSummary,
    SamplingSeeds,
)
from services.data_prep.ports import DatasetStore
from services.data_prep.sampling.reference_set import select_reference
from services.data_prep.sampling.replay_buffer import RESERVOIR_SEED, select_retained
from services.data_prep.seeded_hash import derive_seed
from shared.logging import get_logger
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx
from shared.work.queue import WorkQueue

PREPARE = "prepare"
PREPARE_UPDATE = "prepare_update"
"""Updates of the fast path have a lane of their own: a large window takes minutes."""
PENDING_DATASETS = 20
"""Newest datasets of an agent whose version may still be deployed with effect on the memory."""
RESTORABLE_DATASETS = 10
"""Newest deployed datasets of which a rollback restores what they replaced."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a preparation knows of the agent's earlier data."""

    replay: tuple[Item, ...] = ()
    reference: tuple[Item, ...] = ()


class DataPrepService:
    """Queues commands for datasets and stores their results."""

    def __init__(
        self,
        store: DatasetStore,
        outbox: Outbox,
        queue: WorkQueue,
        policy: PreparationPolicy,
        secret: bytes = b"",
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._queue = queue
        self._policy = policy
        self._secret = secret

    async def queue_preparation(self, tx: Tx, message: Message[PrepareDataset]) -> None:
        """Queue the work; a command that was carried out before is answered at once."""
        command = message.body
        if not await self.republish_result(tx, command, message.cause):
            await self._queue.enqueue(
                tx,
                kind=PREPARE_UPDATE if command.fast_path else PREPARE,
                key=str(command.job_id),
                payload=command.to_json(),
                cause=message.cause,
            )

    async def erase_items(self, tx: Tx, message: Message[EraseItems]) -> None:
        """Remove retracted items from the replay buffer and from every later dataset."""
        command = message.body
        # With the lock of finished datasets: none may bring the items back between the two
        # statements.
        await self._store.lock_agent(tx, command.tenant_id, command.agent_id)
        await self._store.erase_feedback(tx, command.tenant_id, command.agent_id, command.item_ids)

    async def republish_result(self, tx: Tx, command: PrepareDataset, cause: Cause) -> bool:
        """Publish the result of an earlier run of this command again; False when there is none."""
        known = await self._store.find_dataset(tx, derive_dataset_id(command))
        if known is None:
            return False
        await self._outbox.append(tx, known, cause=cause)
        return True

    async def read_memory(self, tx: Tx, command: PrepareDataset) -> Memory:
        """What the agent's deployed versions were trained on, and the protected reference set."""
        tenant_id, agent_id = command.tenant_id, command.agent_id
        seed = self._agent_seed(tenant_id, agent_id)
        replay: list[Item] = []
        # A withdrawal trusts nothing new; one that is subtracted needs nothing that is remembered.
        learns = not command.withdrawal
        if command.rehearse or (learns and (command.plan.replay_ratio or command.trust.enabled)):
            known = await self._store.read_replay_buffer(tx, tenant_id, agent_id)
            replay = select_retained(known, self._policy.replay_capacity, seed)
        candidates = await self._store.read_reference_candidates(tx, tenant_id, agent_id)
        return Memory(tuple(replay), tuple(select_reference(candidates, seed)))

    def derive_seeds(self, command: PrepareDataset) -> SamplingSeeds:
        """The seeds of a preparation: the same for each try of one job."""
        if not self._secret:
            return SamplingSeeds(command.seed, RESERVOIR_SEED)
        tenant_id, agent_id = command.tenant_id, command.agent_id
        names = (tenant_id, agent_id, str(command.job_id), str(command.seed))
        return SamplingSeeds(
            derive_seed(self._secret, "job", *names), self._agent_seed(tenant_id, agent_id)
        )

    def _agent_seed(self, tenant_id: str, agent_id: str) -> int:
        """The seed of an agent's memory: one for ever, so that what is chosen stays chosen."""
        if not self._secret:
            return RESERVOIR_SEED
        return derive_seed(self._secret, "memory", tenant_id, agent_id)

    async def record_registration(self, tx: Tx, message: Message[ModelRegistered]) -> None:
        """Remember which dataset a version was trained on."""
        body = message.body
        await self._store.set_model_version(
            tx, body.tenant_id, body.agent_id, body.dataset_id, body.model.version
        )

    async def record_deployment(self, tx: Tx, message: Message[ModelDeployed]) -> None:
        """Let the version's items enter the memory, or later ones leave it if it is an old one.

        Without a job a person deployed it, and vouches for what it was trained on.
        """
        body = message.body
        await self._follow_deployed(
            tx, body, body.model.version, replaced=None, vouched=body.job_id is None
        )

    async def record_rollback(self, tx: Tx, message: Message[ModelRolledBack]) -> None:
        """Take out of the memory what entered after the version that is deployed again."""
        body = message.body
        await self._follow_deployed(
            tx, body, body.model.version, replaced=body.from_version, vouched=False
        )

    async def _follow_deployed(
        self,
        tx: Tx,
        body: ModelDeployed | ModelRolledBack,
        version: str,
        *,
        replaced: str | None,
        vouched: bool,
    ) -> None:
        tenant_id, agent_id = body.tenant_id, body.agent_id
        await self._store.lock_agent(tx, tenant_id, agent_id)
        position = await self._store.find_memory_of_model(tx, tenant_id, agent_id, version)
        if position is None:
            log.info("dataset_of_version_unknown", agent_id=agent_id, version=version)
            await self._take_out(tx, tenant_id, agent_id, replaced)
        elif position.sequence is None:
            dataset = position.dataset_version
            await self._store.enter_memory(tx, tenant_id, agent_id, dataset, vouched=vouched)
        else:
            await self._store.leave_memory(tx, tenant_id, agent_id, position.sequence)
        await self._delete_stale(tx, tenant_id, agent_id, version)

    async def _take_out(self, tx: Tx, tenant_id: str, agent_id: str, version: str | None) -> None:
        """Take a version's dataset out, and what entered later."""
        if version is None:
            return
        left = await self._store.find_memory_of_model(tx, tenant_id, agent_id, version)
        if left is not None and left.sequence is not None:
            await self._store.leave_memory(tx, tenant_id, agent_id, left.sequence - 1)

    async def _delete_stale(self, tx: Tx, tenant_id: str, agent_id: str, version: str) -> None:
        position = await self._store.find_memory_of_model(tx, tenant_id, agent_id, version)
        if position is None or position.sequence is None:
            return
        seed = self._agent_seed(tenant_id, agent_id)
        known = await self._store.read_replay_buffer(tx, tenant_id, agent_id)
        await self._store.delete_stale_items(
            tx,
            tenant_id,
            agent_id,
            select_retained(known, self._policy.replay_capacity, seed),
            pending_datasets=PENDING_DATASETS,
            restorable_until=position.sequence - RESTORABLE_DATASETS,
        )

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
        """Give the dataset its version, keep its items for the memory and publish the result.

        Idempotent: two workers that carried out one command give one version.
        """
        last_version = await self._store.lock_agent(tx, command.tenant_id, command.agent_id)
        # After the lock: another worker may have finished the same command meanwhile.
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
        await self._remember(tx, event, prepared)
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

    async def _remember(self, tx: Tx, event: DatasetPrepared, prepared: PreparedSummary) -> None:
        """Keep what the dataset may bring to the memory; until its version is deployed it counts
        for nothing."""
        tenant_id, agent_id = event.tenant_id, event.agent_id
        # Read once more: feedback may have been retracted while the child was at work.
        erased = await self._store.read_erased_feedback_ids(tx, tenant_id, agent_id)
        learned = [item for item in prepared.learned if erased.isdisjoint(item.feedback_ids)]
        seed = self._agent_seed(tenant_id, agent_id)
        learned = select_retained(learned, self._policy.replay_capacity, seed)
        candidates = [
            item for item in prepared.reference_candidates if erased.isdisjoint(item.feedback_ids)
        ]
        insert = self._store.insert_remembered_items
        await insert(tx, event, MemoryPart.REPLAY, learned)
        await insert(tx, event, MemoryPart.REFERENCE, candidates)
