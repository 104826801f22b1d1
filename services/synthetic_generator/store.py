"""Typed queries on the synthetic generator's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from archon_contracts.events import SyntheticDataGenerated
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

MAXIMUM_LLM_REPLIES: Final = 20_000
"""Of one tenant. The newest stay."""


class GeneratorStore:
    """Answers to requests, how far open ones are, and replies of models. Never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.synthetic_generator")

    async def find_result(
        self, tx: Tx, tenant_id: str, request_id: UUID
    ) -> SyntheticDataGenerated | None:
        """What came of a request, if it is carried out."""
        event_body = await self._queries.find_result(tx, tenant_id=tenant_id, request_id=request_id)
        return SyntheticDataGenerated.model_validate(event_body) if event_body else None

    async def insert_result(self, tx: Tx, answer: SyntheticDataGenerated) -> None:
        """Keep an answer; an earlier one to the same request stays."""
        await self._queries.insert_result(
            tx,
            tenant_id=answer.tenant_id,
            request_id=answer.request_id,
            agent_id=answer.agent_id,
            event_body=answer.to_json(),
        )

    async def find_segments(self, tx: Tx, tenant_id: str, request_id: UUID) -> list[dict[str, Any]]:
        """What an interrupted generation has made, in its order: `items` and `state` of each."""
        rows = self._queries.find_segments(tx, tenant_id=tenant_id, request_id=request_id)
        return [dict(row) async for row in rows]

    async def insert_segment(
        self, tx: Tx, tenant_id: str, request_id: UUID, segment: Mapping[str, Any]
    ) -> None:
        """Keep what was made since the segment before; the same one again changes nothing."""
        state = segment["state"]
        await self._queries.insert_segment(
            tx,
            tenant_id=tenant_id,
            request_id=request_id,
            draws=state["attempt"],
            items=segment["items"],
            state=state,
        )

    async def delete_segments(self, tx: Tx, tenant_id: str, request_id: UUID) -> None:
        """Of a request that has ended."""
        await self._queries.delete_segments(tx, tenant_id=tenant_id, request_id=request_id)

    async def find_llm_replies(self, tx: Tx, tenant_id: str) -> dict[str, str]:
        """What language models replied before, by the key of the prompt; the newest ones."""
        rows = self._queries.find_llm_replies(tx, tenant_id=tenant_id, most=MAXIMUM_LLM_REPLIES)
        return {row["key"]: row["reply"] async for row in rows}

    async def insert_llm_replies(self, tx: Tx, tenant_id: str, replies: Mapping[str, str]) -> None:
        """Keep new replies; a tenant's oldest beyond the limit go."""
        await self._queries.insert_llm_replies(
            tx, tenant_id=tenant_id, keys=list(replies), replies=list(replies.values())
        )
        await self._queries.prune_llm_replies(tx, tenant_id=tenant_id, most=MAXIMUM_LLM_REPLIES)
