"""How long a job may stay in a state, and how often a state's command is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from archon_contracts.events import JobState


@dataclass(frozen=True, slots=True)
class JobLimits:
    """`stay_seconds` has every state that is not final.

    `max_reevaluations` are the times that a candidate is evaluated again because another version
    was deployed meanwhile: without a limit, two that overtake each other would never end.
    """

    stay_seconds: Mapping[JobState, float]
    max_dispatches: int = 3
    max_attempts: int = 3
    max_reevaluations: int = 5

    def deadline(self, state: JobState, now: datetime) -> datetime | None:
        """When somebody must look after a job that enters the state now; None: never."""
        seconds = self.stay_seconds.get(state)
        return None if seconds is None else now + timedelta(seconds=seconds)
