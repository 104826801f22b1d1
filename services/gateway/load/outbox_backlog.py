"""Backlog of the outbox, its limits, and an estimate of the time to drain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """Age of the oldest unpublished row and number of rows (counted up to a bound)."""

    age_seconds: float
    backlog: int


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Limits above which commands are refused; 0 is no limit."""

    age_seconds: float
    backlog: int

    def find_exceeded(self, waiting: OutboxBacklog) -> tuple[str, str] | None:
        """The name of the limit that is reached, with a reason."""
        if 0 < self.age_seconds <= waiting.age_seconds:
            return "outbox_age_seconds", f"a command waits for {waiting.age_seconds:.0f} s"
        if 0 < self.backlog <= waiting.backlog:
            return "outbox_backlog", f"{waiting.backlog} commands wait"
        return None


def estimate_drain_seconds(
    before: OutboxBacklog | None, now: OutboxBacklog, *, between: float, keep: int
) -> float:
    """Seconds until at most `keep` rows wait, one minute at most.

    From the rate between the last two polls; when nothing was published, the age of the oldest
    row, which is the present latency of a message (Little's law) or the length of the outage.
    """
    left = before.backlog - now.backlog if before else 0
    estimate = max(0, now.backlog - keep) * between / left if left > 0 else now.age_seconds
    return min(estimate, MAX_WAIT_SECONDS)
