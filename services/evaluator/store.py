"""The evaluator's tables, typed: one method per query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final
from uuid import UUID

from archon_contracts.commands import EvaluateModel
from archon_contracts.values import ArtifactRef
from services.evaluator.domain import SCORING_VERSION, CachedScore, EvaluationState, ScoreKey
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

MAXIMUM_GRADER_REPLIES: Final = 20_000
"""Of one grader: a child gets them all, some 10 MB."""


class EvaluationStore:
    """The newest evaluation of each job, and the scores that are known."""

    def __init__(self) -> None:
        self._queries = load_queries("services.evaluator")

    async def accept_attempt(self, tx: Tx, command: EvaluateModel) -> bool:
        """Whether the attempt is newer than every one known of its job; it is kept then."""
        accepted: bool | None = await self._queries.accept_attempt(
            tx,
            job_id=command.job_id,
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            attempt=command.attempt,
            # Not of an update of the fast path: five of them are minutes, and the look at recent
            # versions would be no longer than that.
            deployed=command.deployed.artifact.digest
            if command.deployed and not command.update
            else None,
        )
        return bool(accepted)

    async def cancel_job(self, tx: Tx, job_id: UUID) -> bool:
        """Whether an evaluation of the job was open; it is over then."""
        cancelled: bool | None = await self._queries.cancel_job(tx, job_id=job_id)
        return bool(cancelled)

    async def end_attempt(self, tx: Tx, job_id: UUID, attempt: int, state: EvaluationState) -> None:
        """Keep how an accepted attempt ended."""
        await self._queries.end_attempt(tx, job_id=job_id, attempt=attempt, state=state)

    async def find_score(self, tx: Tx, key: ScoreKey) -> CachedScore | None:
        """An earlier evaluation of the same model on the same items by this scoring code."""
        row = await self._queries.find_score(tx, **asdict(key), scoring_version=SCORING_VERSION)
        if row is None:
            return None
        predictions = ArtifactRef(uri=row["predictions_uri"], digest=row["predictions_digest"])
        return CachedScore(predictions, row["file"])

    async def find_recent_scores(
        self, tx: Tx, command: EvaluateModel, key: ScoreKey, most: int
    ) -> list[CachedScore]:
        """Scores on the key's items of versions that were deployed before the present one."""
        rows = self._queries.find_recent_scores(
            tx,
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            deployed=key.model,
            items=key.items,
            catalogue=key.catalogue,
            kind=key.kind,
            scoring_version=SCORING_VERSION,
            most=most,
        )
        return [
            CachedScore(
                ArtifactRef(uri=row["predictions_uri"], digest=row["predictions_digest"]),
                row["file"],
            )
            async for row in rows
        ]

    async def find_grader_replies(self, tx: Tx, tenant_id: str, grader: str) -> dict[str, str]:
        """What a grader replied to a tenant before, by the key of the question; the newest ones."""
        rows = self._queries.find_grader_replies(
            tx, tenant_id=tenant_id, grader=grader, most=MAXIMUM_GRADER_REPLIES
        )
        return {row["key"]: row["reply"] async for row in rows}

    async def insert_grader_replies(
        self, tx: Tx, tenant_id: str, grader: str, replies: Mapping[str, str]
    ) -> None:
        """Keep new replies; a tenant's oldest beyond the limit go."""
        await self._queries.insert_grader_replies(
            tx,
            tenant_id=tenant_id,
            grader=grader,
            keys=list(replies),
            replies=list(replies.values()),
        )
        await self._queries.prune_grader_replies(
            tx, tenant_id=tenant_id, grader=grader, most=MAXIMUM_GRADER_REPLIES
        )

    async def insert_score(self, tx: Tx, key: ScoreKey, score: CachedScore) -> None:
        """Keep a score for the next time."""
        await self._queries.insert_score(
            tx,
            **asdict(key),
            scoring_version=SCORING_VERSION,
            predictions_uri=score.predictions.uri,
            predictions_digest=score.predictions.digest,
            file=score.file,
        )
