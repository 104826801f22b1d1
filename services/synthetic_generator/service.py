"""The use cases of the synthetic generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archon_contracts.commands import CancelSyntheticData, GenerateSyntheticData
from archon_contracts.events import (
    SyntheticDataCancelled,
    SyntheticDataGenerated,
    SyntheticDataProgressed,
)
from archon_contracts.values import ArtifactRef
from services.synthetic_generator.domain import GenerationSummary
from services.synthetic_generator.ports import AnswerStore, Outbox, WorkQueue
from shared.logging import get_logger
from shared.messaging.messages import Cause, Message
from shared.postgres.database import Tx

GENERATE = "generate"

log = get_logger(__name__)


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

    async def cancel_request(self, tx: Tx, message: Message[CancelSyntheticData]) -> None:
        """End open work of a request and publish that; one that has ended stays as it is."""
        command = message.body
        # A worker that is at it finds its lease gone with its next segment, and stops.
        if not await self._queue.cancel(tx, kind=GENERATE, key=str(command.request_id)):
            log.info("request_has_ended", request_id=command.request_id)
            return
        await self._store.delete_segments(tx, command.tenant_id, command.request_id)
        cancelled = SyntheticDataCancelled(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            request_id=command.request_id,
            reason=command.reason,
        )
        await self._events.append(tx, cancelled, cause=message.cause)

    async def record_progress(
        self, tx: Tx, command: GenerateSyntheticData, segment: Mapping[str, Any], cause: Cause
    ) -> None:
        """Keep what was made since the segment before, and publish how far the request is.

        `segment` has `items`, `state`, the number `accepted` so far, and new `replies` of a model.
        """
        await self._store.insert_segment(tx, command.tenant_id, command.request_id, segment)
        if segment["replies"]:
            await self._store.insert_llm_replies(tx, command.tenant_id, segment["replies"])
        draws = segment["state"]["attempt"]
        progressed = SyntheticDataProgressed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            request_id=command.request_id,
            accepted=segment["accepted"],
            candidates=draws,
            total=command.count,
        )
        # Without the part all would have the id of the first one, which alone is sent.
        cause = replace(cause, traceparent="")
        await self._events.append(tx, progressed, cause=cause, part=str(draws))

    async def record_result(
        self,
        tx: Tx,
        command: GenerateSyntheticData,
        artifact: ArtifactRef,
        summary: GenerationSummary,
        cause: Cause,
    ) -> None:
        """Keep the answer and publish it."""
        answer = SyntheticDataGenerated(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            request_id=command.request_id,
            artifact=artifact,
            items=summary.items,
            rejected=dict(summary.rejected),
            requested=command.count,
            shortfall=summary.shortfall,
            quality=summary.quality,
        )
        await self._store.insert_result(tx, answer)
        await self._store.delete_segments(tx, command.tenant_id, command.request_id)
        await self._events.append(tx, answer, cause=cause)
