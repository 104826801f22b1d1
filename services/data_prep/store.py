"""The typed face of data preparation's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from uuid import UUID

from archon_contracts.events import DatasetPrepared
from archon_contracts.formats import REPLAY
from services.data_prep.domain import Item
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

REPLAYED_FIELDS = {
    *("rejected", "weight", "group", "skill", "actual", "rating", "reward", "propensity"),
    "feedback_ids",
}
"""What is remembered beside input and target. Whose it was is not: a replayed item is trusted."""


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

    async def read_replay_buffer(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Item]:
        """All that is remembered of an agent, in a fixed order."""
        rows = self._queries.read_replay_buffer(tx, tenant_id=tenant_id, agent_id=agent_id)
        return [
            Item(
                id=row["item_id"],
                input=row["input"],
                key=row["input_key"],
                target=row["target"],
                source=REPLAY,
                **row["details"],
            )
            async for row in rows
        ]

    async def upsert_replay_items(
        self, tx: Tx, tenant_id: str, agent_id: str, items: Sequence[Item], version: int
    ) -> None:
        """Add items; one with a known input replaces what was known."""
        await self._queries.upsert_replay_items(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            dataset_version=version,
            hashes=[_hash(item) for item in items],
            item_ids=[item.id for item in items],
            keys=[item.key for item in items],
            inputs=[item.input for item in items],
            targets=[item.target for item in items],
            details=[item.model_dump(mode="json", include=REPLAYED_FIELDS) for item in items],
        )

    async def delete_replay_items(
        self, tx: Tx, tenant_id: str, agent_id: str, items: Iterable[Item]
    ) -> None:
        """Remove items."""
        await self._queries.delete_replay_items(
            tx, tenant_id=tenant_id, agent_id=agent_id, hashes=[_hash(item) for item in items]
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


def _hash(item: Item) -> str:
    return sha256(item.key.encode()).hexdigest()
