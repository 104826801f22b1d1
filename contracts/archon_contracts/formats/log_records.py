"""One line of an agent's log: an answer, or feedback on one, as an analysis reads it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.formats.items import Text
from archon_contracts.rules.moments import UtcTime


class LogRecord(ValueObject):
    """An interaction or a feedback event; texts are empty where nothing is known."""

    kind: Literal["interaction", "feedback"] = "interaction"
    interaction_id: Text
    at: UtcTime = Field(description="When it was received, by our clock.")
    request: Text = Field(default="", description="What the agent was asked.")
    answer: Text = ""
    correction: Text = Field(default="", description="What it should have answered.")
    rating: float | None = Field(default=None, ge=1, le=5)
    reward: float | None = Field(default=None, ge=-1, le=1)
    signals: tuple[str, ...] = Field(default=(), description="SignalKind of each.")
    error: str = Field(default="", description="Why the agent failed; empty: it did not.")
    latency_seconds: float | None = Field(default=None, ge=0)
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    unit_id: Text = Field(default="", description="User or session.")
    model_version: Text = ""
