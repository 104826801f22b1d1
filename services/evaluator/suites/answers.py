"""What an agent answers to a request of a suite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or the error that stands for it; what is not known is None."""

    output: str = ""
    error: str = ""
    score: float | None = None
    alternatives: tuple[str, ...] = ()
    latency_seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    calls: int | None = None
    memory_bytes: int | None = None
