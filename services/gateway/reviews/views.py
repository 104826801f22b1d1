"""Bodies and answers of the review queue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from archon_contracts.rules.numbers import Integer
from services.gateway.requests import Label, RequestBody
from services.gateway.views.base import View

ReviewText = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Kind = Literal["pairwise", "rubric", "label"]
GRADES = ("1", "2", "3", "4", "5")


class ReviewItem(RequestBody):
    """What a person looks at."""

    request: ReviewText = Field(description="What the agent was asked.")
    answers: list[ReviewText] = Field(
        max_length=2, description="Of a pair two; else the answer to look at."
    )
    versions: list[Label] = Field(
        default_factory=list,
        max_length=2,
        description="Who gave each answer; reviewers never see it.",
    )


class ReviewTasksRequest(RequestBody):
    """Items to review."""

    kind: Kind
    items: list[ReviewItem] = Field(fail_fast=True, min_length=1, max_length=1_000)
    labels: list[Label] = Field(
        fail_fast=True, default_factory=list, max_length=200, description="Of `label`: the choices."
    )
    rubric: str = Field(default="", max_length=5_000, description="What makes an answer good.")
    votes: Integer = Field(default=1, ge=1, le=20, description="Reviewers that each item wants.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        wanted = 2 if self.kind == "pairwise" else 1
        for place, item in enumerate(self.items):
            if len(item.answers) != wanted:
                raise ValueError(f"items[{place}].answers: {self.kind} needs {wanted}")
            if item.versions and len(item.versions) != wanted:
                raise ValueError(f"items[{place}].versions: name {wanted}, or none")
        if self.kind == "label" and len(set(self.labels)) < 2:
            raise ValueError("labels: a label task needs two or more to choose from")
        return self


class ReviewTaskView(View):
    """The item that a reviewer has now; nobody else gets it until the lease ends."""

    task_id: UUID
    agent_id: str
    kind: Kind
    request: str
    answers: list[str] = Field(description="Of a pair in an order of this reviewer's own.")
    choices: list[str] = Field(description="What can be chosen; its place is its key.")
    rubric: str = ""
    leased_until: datetime


class ReviewRequestBody(RequestBody):
    """What a reviewer chose."""

    choice: Label
    comment: str = Field(default="", max_length=5_000)


class ReviewCount(View):
    """Tasks of one kind."""

    kind: Kind
    tasks: int
    done: int
    reviews: int


class ReviewView(View):
    """One choice of one reviewer."""

    task_id: UUID
    kind: Kind
    request: str
    reviewer: str
    choice: str = Field(description="Of a pair the version, or its place from 1, or tie.")
    comment: str = ""
    reviewed_at: datetime


class AgreementView(View):
    """How far reviewers agree on tasks of one kind."""

    kind: Kind
    coefficient: str = Field(description="cohen (two reviewers) or fleiss; empty: nothing shared.")
    kappa: float | None = Field(
        default=None, description="Absent: nothing is shared, or all chose the same."
    )
    items: int = Field(description="Items that several reviewers chose for.")


class ReviewSummary(View):
    """How far an agent's reviews are."""

    agent_id: str
    counts: list[ReviewCount]
    agreement: list[AgreementView]
    reviews: list[ReviewView] = Field(description="The newest ones.")
