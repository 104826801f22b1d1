"""One model's answers to the items of an evaluation."""

from __future__ import annotations

from pydantic import Field

from archon_contracts.base import ValueObject


class PredictionRow(ValueObject):
    """The answer to one item."""

    id: str = Field(description="The item's id.")
    group: str = Field(default="", description="The item's group.")
    skill: str = Field(
        default="", description="As the item states it; else the task type of the rules."
    )
    task_type: str = Field(default="", description="What the rules find for the item.")
    target: str = Field(default="", description="The right answer; empty: the item has none.")
    output: str
    score: float = Field(description="The model's confidence in `output`, 0 to 1.")
    alternatives: tuple[str, ...] = Field(default=(), description="Next best answers, best first.")
    alternative_scores: tuple[float, ...] = Field(
        default=(), description="Confidence in each of them; empty: the model gives none."
    )
    correct: bool | None = Field(default=None, description="Absent: not scored.")
    correct_at_k: bool | None = Field(
        default=None, description="Whether the target is `output` or an alternative."
    )
    latency_seconds: float | None = Field(
        default=None, ge=0, description="Of a request with this item alone; absent: not timed."
    )
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
