"""What a condition may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from archon_contracts.triggers.stream import RatingSums, StreamState


@dataclass(frozen=True, slots=True)
class TriggerView:
    """Counters of one agent's feedback at one moment; `unused` feedback is in no window yet."""

    unused: int = 0
    oldest_unused_at: datetime | None = None
    last_window_at: datetime | None = None
    scheduled_at: datetime | None = None
    """The next time of the policy's schedule after the last window; None: it has none."""
    training_seconds: float | None = None
    """What the agent's trainings took lately [s]; None: none has ended."""
    ratings: RatingSums = field(default_factory=RatingSums)
    """Unused ratings of the deployed version, and of versions that nobody named."""
    ratings_before: RatingSums = field(default_factory=RatingSums)
    """Of the last window that had enough of them."""
    stream: StreamState = field(default_factory=StreamState)
