"""Answers about reviews.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class ReviewCountInfo(ApiAnswer):
    """Tasks of one kind."""

    kind: str
    tasks: int
    done: int
    reviews: int


class AgreementInfo(ApiAnswer):
    """How far reviewers agree on tasks of one kind."""

    kind: str
    coefficient: str = Field(description="cohen (two reviewers) or fleiss; empty: nothing shared.")
    kappa: float | None = Field(
        default=None, description="Absent: nothing is shared, or all chose the same."
    )
    items: int = Field(description="Items that several reviewers chose for.")


class ReviewInfo(ApiAnswer):
    """One choice of one reviewer."""

    task_id: UUID
    kind: str
    request: str
    reviewer: str
    choice: str = Field(description="Of a pair the version, or its place from 1, or tie.")
    comment: str | None = None
    reviewed_at: datetime


class ReviewSummaryInfo(ApiAnswer):
    """How far an agent's reviews are."""

    agent_id: str
    counts: list[ReviewCountInfo]
    agreement: list[AgreementInfo]
    reviews: list[ReviewInfo] = Field(description="The newest ones.")


class ReviewTaskInfo(ApiAnswer):
    """The item that a reviewer has now; nobody else gets it until the lease ends."""

    task_id: UUID
    agent_id: str
    kind: str
    request: str
    answers: list[str] = Field(description="Of a pair in an order of this reviewer's own.")
    choices: list[str] = Field(description="What can be chosen; its place is its key.")
    rubric: str | None = None
    leased_until: datetime
