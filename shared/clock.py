"""The clock, injected so that tests can set the time."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
