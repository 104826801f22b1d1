"""Typed queries on data preparation's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from archon_contracts.events import DatasetPrepared
from archon_contracts.formats import REPLAY
from services.data_prep.domain import Item, MemoryPart, MemoryPosition
from services.data_prep.sampling.reference_set import ReferenceCandidate
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

REPLAYED_FIELDS = {
    *("rejected", "weight", "group", "skill", "actual", "rating", "reward", "propensity"),
    "feedback_ids",
}
"""What is remembered beside input and target. Whose it was is not: a replayed item is trusted."""
REFERENCE_FIELDS = {"group", "skill", "unit", "source", "feedback_ids"}
"""The same of a reference item: its rater and its source decide whether it is chosen."""


class DataPrepStore:
    """Dataset versions and the replay memory. Never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.data_prep")

    async def find_dataset(self, tx: Tx, dataset_id: UUID) -> DatasetPrepared | None:
        """What was said of a finished dataset."""
        event_body = await self._queries.find_dataset(tx, dataset_id=dataset_id)
        return DatasetPrepared.model_validate(event_body) if event_body else None

    async def lock_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> int:
        """The agent's last version number, locked until the transaction ends; 0 when it has none.

        Whoever finishes a dataset locks first: versions and memory then change in one order.
        """
        version: int = await self._queries.lock_agent(tx, tenant_id=tenant_id, agent_id=agent_id)
        return version

    async def insert_dataset(self, tx: Tx, prepared: DatasetPrepared) -> None:
        """Keep a finished dataset; its version is the agent's last one now."""
        await self._queries.set_version(
            tx,
            tenant_id=prepared.tenant_id,
            agent_id=prepared.agent_id,
            version=prepared.dataset_version,
        )
        await self._queries.insert_dataset(
            tx,
            dataset_id=prepared.dataset_id,
            tenant_id=prepared.tenant_id,
            agent_id=prepared.agent_id,
            version=prepared.dataset_version,
            job_id=prepared.job_id,
            artifact_digest=prepared.artifact.digest,
            event_body=prepared.to_json(),
        )

    async def set_model_version(
        self, tx: Tx, tenant_id: str, agent_id: str, dataset_id: UUID, model_version: str
    ) -> None:
        """Remember which version was trained on a dataset."""
        await self._queries.set_model_version(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            dataset_id=dataset_id,
            model_version=model_version,
        )

    async def find_memory_of_model(
        self, tx: Tx, tenant_id: str, agent_id: str, model_version: str
    ) -> MemoryPosition | None:
        """Where the dataset of a version stands in memory; None: its dataset is not known."""
        row = await self._queries.find_memory_of_model(
            tx, tenant_id=tenant_id, agent_id=agent_id, model_version=model_version
        )
        return MemoryPosition(row["version"], row["memory_sequence"]) if row else None

    async def enter_memory(
        self, tx: Tx, tenant_id: str, agent_id: str, version: int, *, vouched: bool
    ) -> None:
        """Let a dataset's items count from now on; `vouched`: a person deployed its version."""
        await self._queries.enter_memory(
            tx, tenant_id=tenant_id, agent_id=agent_id, version=version, vouched=vouched
        )

    async def leave_memory(
        self, tx: Tx, tenant_id: str, agent_id: str, after_sequence: int
    ) -> None:
        """Let the items of all datasets that entered later count no more."""
        await self._queries.leave_memory(
            tx, tenant_id=tenant_id, agent_id=agent_id, after_sequence=after_sequence
        )

    async def read_replay_buffer(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Item]:
        """All that may be replayed, in a fixed order."""
        rows = self._queries.read_remembered_items(
            tx, tenant_id=tenant_id, agent_id=agent_id, part=MemoryPart.REPLAY
        )
        return [_item(row, source=REPLAY) async for row in rows]

    async def read_reference_candidates(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> list[ReferenceCandidate]:
        """All that the reference set may be chosen from, in a fixed order."""
        rows = self._queries.read_remembered_items(
            tx, tenant_id=tenant_id, agent_id=agent_id, part=MemoryPart.REFERENCE
        )
        return [
            ReferenceCandidate(_item(row), row["dataset_version"], row["vouched"])
            async for row in rows
        ]

    async def insert_remembered_items(
        self,
        tx: Tx,
        prepared: DatasetPrepared,
        part: MemoryPart,
        items: Sequence[Item],
    ) -> None:
        """Keep items of a dataset; they count once its version is deployed."""
        fields = REPLAYED_FIELDS if part is MemoryPart.REPLAY else REFERENCE_FIELDS
        await self._queries.insert_remembered_items(
            tx,
            tenant_id=prepared.tenant_id,
            agent_id=prepared.agent_id,
            dataset_version=prepared.dataset_version,
            part=part,
            hashes=[_hash(item) for item in items],
            item_ids=[item.id for item in items],
            keys=[item.key for item in items],
            inputs=[item.input for item in items],
            targets=[item.target for item in items],
            details=[item.model_dump(mode="json", include=fields) for item in items],
        )

    async def delete_stale_items(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        retained: Iterable[Item],
        *,
        pending_datasets: int,
        restorable_until: int,
    ) -> None:
        """Bound what is kept: old datasets that were never deployed, and what the buffer has no
        room for, of datasets that entered up to `restorable_until`."""
        await self._queries.delete_stale_items(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            retained=[_hash(item) for item in retained],
            pending_datasets=pending_datasets,
            restorable_until=restorable_until,
        )

    async def erase_feedback(
        self, tx: Tx, tenant_id: str, agent_id: str, item_ids: Sequence[str]
    ) -> None:
        """Remove what rests on these feedback ids, and know them from now on."""
        named = {"tenant_id": tenant_id, "agent_id": agent_id, "item_ids": list(item_ids)}
        await self._queries.insert_erased_feedback(tx, **named)
        await self._queries.erase_feedback(tx, **named)

    async def read_erased_feedback_ids(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> frozenset[str]:
        """All feedback ids of the agent that were erased_feedback_ids."""
        rows = self._queries.read_erased_feedback_ids(tx, tenant_id=tenant_id, agent_id=agent_id)
        return frozenset([row["item_id"] async for row in rows])


def _item(row: Mapping[str, Any], **fields: str) -> Item:
    return Item(
        id=row["item_id"],
        input=row["input"],
        key=row["input_key"],
        target=row["target"],
        **{**row["details"], **fields},
    )


def _hash(item: Item) -> str:
    return sha256(item.key.encode()).hexdigest()
