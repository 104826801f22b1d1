"""How much waits in the outbox, when that is too much, and how long until it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """What waits in the outbox: since when, and how much (counted up to a bound)."""

    age_seconds: float
    backlog: int


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """From where on commands are refused; 0 is no limit."""

    age_seconds: float
    backlog: int

    def find_exceeded(self, waiting: OutboxBacklog) -> tuple[str, str] | None:
        """The name of the limit that is reached, and what to say of it."""
        if 0 < self.age_seconds <= waiting.age_seconds:
            return "outbox_age_seconds", f"a command waits for {waiting.age_seconds:.0f} s"
        if 0 < self.backlog <= waiting.backlog:
            return "outbox_backlog", f"{waiting.backlog} commands wait"
        return None


def estimate_drain_seconds(
    before: OutboxBacklog | None, now: OutboxBacklog, *, between: float, keep: int
) -> float:
    """How long until no more than `keep` wait [s], at most a minute.

    At the pace of the last look; when nothing leaves, as long again as the oldest has waited, for
    that is how long a message takes at present (Little's law) or an outage has lasted.
    """
    left = before.backlog - now.backlog if before else 0
    estimate = max(0, now.backlog - keep) * between / left if left > 0 else now.age_seconds
    return min(estimate, MAX_WAIT_SECONDS)
