"""What the evaluator needs of its store, which only app.py sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from archon_contracts.commands import EvaluateModel
from services.evaluator.domain import CachedScore, EvaluationState, ScoreKey
from shared.postgres.database import Tx


class GraderReplies(Protocol):
    """What graders replied before, so that the same question is paid for once."""

    async def find_grader_replies(self, tx: Tx, tenant_id: str, grader: str) -> dict[str, str]: ...

    async def insert_grader_replies(
        self, tx: Tx, tenant_id: str, grader: str, replies: Mapping[str, str]
    ) -> None: ...


class EvaluationRepository(Protocol):
    """The newest evaluation of each job, and the scores that are known."""

    async def accept_attempt(self, tx: Tx, command: EvaluateModel) -> bool: ...

    async def cancel_job(self, tx: Tx, job_id: UUID) -> bool: ...

    async def end_attempt(
        self, tx: Tx, job_id: UUID, attempt: int, state: EvaluationState
    ) -> None: ...

    async def find_score(self, tx: Tx, key: ScoreKey) -> CachedScore | None: ...

    async def find_recent_scores(
        self, tx: Tx, command: EvaluateModel, key: ScoreKey, most: int
    ) -> list[CachedScore]: ...

    async def insert_score(self, tx: Tx, key: ScoreKey, score: CachedScore) -> None: ...
