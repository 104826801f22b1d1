"""The use cases of the synthetic generator."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.commands import GenerateSyntheticData
from archon_contracts.events import SyntheticDataGenerated
from archon_contracts.values import ArtifactRef
from services.synthetic_generator.ports import AnswerStore, Outbox, WorkQueue
from shared.messaging.messages import Cause, Message
from shared.postgres.database import Tx

GENERATE = "generate"


class GeneratorService:
    """Takes requests for synthetic data and keeps what came of them."""

    def __init__(self, store: AnswerStore, events: Outbox, queue: WorkQueue) -> None:
        self._store = store
        self._events = events
        self._queue = queue

    async def accept_request(self, tx: Tx, message: Message[GenerateSyntheticData]) -> None:
        """Queue the work; a request that was carried out before is answered at once."""
        command = message.body
        known = await self._store.find_result(tx, command.tenant_id, command.request_id)
        if known is not None:
            await self._events.append(tx, known, cause=message.cause)
            return
        await self._queue.enqueue(
            tx,
            kind=GENERATE,
            key=str(command.request_id),
            payload=command.to_json(),
            cause=message.cause,
        )

    async def record_result(
        self,
        tx: Tx,
        command: GenerateSyntheticData,
        artifact: ArtifactRef,
        counts: tuple[int, Mapping[str, int]],
        cause: Cause,
    ) -> None:
        """Keep the answer and publish it; `counts` are items and rejections by reason."""
        items, rejected = counts
        answer = SyntheticDataGenerated(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            request_id=command.request_id,
            artifact=artifact,
            items=items,
            rejected=dict(rejected),
        )
        await self._store.insert_result(tx, answer)
        await self._events.append(tx, answer, cause=cause)
