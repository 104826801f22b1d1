"""Typed queries on the synthetic generator's table."""

from __future__ import annotations

from uuid import UUID

from archon_contracts.events import SyntheticDataGenerated
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class GeneratorStore:
    """Answers to requests. Never commits."""

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
