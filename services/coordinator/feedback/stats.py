"""Feedback as it is stored, and what is counted of it. Values only: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from archon_contracts.triggers import StreamState

ANNOTATION: Final = "annotation"
"""The `source` of a label that an annotator gave."""


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """A feedback event as stored: the body as it was received."""

    event_id: UUID
    source: str
    rating: float | None
    received_at: datetime
    body: bytes
    submitted_by: str = ""
    interaction_id: str = ""
    interaction: bytes | None = None
    """Body of the logged interaction that it rates, where it was asked for and is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackStats:
    """What is counted for one agent; `unused` feedback is in no window yet.

    `previous_...` counts the ratings of the last window that had enough of them;
    `unsuccessful_runs` the retrains in a row that trained and gave no version, the last of them at
    `last_unsuccessful_at`. `corrections` bounds the wrong answers that the fast path has not looked
    at, `refused_updates` counts its updates in a row that gave no version. `withdrawals` bounds the
    retracted feedback that nobody has looked for in the deployed version; until
    `withdrawals_wait_until` no withdrawal begins. `awaits_feedback`: the agent's next job waits for
    feedback that its request names.
    """

    tenant_id: str
    agent_id: str
    profile_revision: int = 1
    unused: int = 0
    rated: int = 0
    rating_sum: float = 0.0
    oldest_unused_at: datetime | None = None
    previous_rated: int = 0
    previous_rating_sum: float = 0.0
    windows: int = 0
    last_window_at: datetime | None = None
    unsuccessful_runs: int = 0
    last_unsuccessful_at: datetime | None = None
    corrections: int = 0
    updates: int = 0
    refused_updates: int = 0
    last_refused_update_at: datetime | None = None
    withdrawals: int = 0
    withdrawals_wait_until: datetime | None = None
    stream: StreamState = field(default_factory=StreamState)
    """The deployed version's rated answers, where the agent's policy looks at them."""
    training_seconds: float | None = None
    """What the agent's trainings took lately [s]."""
    busy: bool = False
    awaits_feedback: bool = False
    check_at: datetime | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> FeedbackStats:
        """As the table has them."""
        return cls(
            tenant_id=row["tenant_id"],
            agent_id=row["agent_id"],
            profile_revision=row["profile_revision"],
            unused=row["unused"],
            rated=row["rated"],
            rating_sum=row["rating_sum"],
            oldest_unused_at=row["oldest_unused_at"],
            previous_rated=row["previous_rated"],
            previous_rating_sum=row["previous_rating_sum"],
            windows=row["windows"],
            last_window_at=row["last_window_at"],
            unsuccessful_runs=row["unsuccessful_runs"],
            last_unsuccessful_at=row["last_unsuccessful_at"],
            corrections=row["corrections"],
            updates=row["updates"],
            refused_updates=row["refused_updates"],
            last_refused_update_at=row["last_refused_update_at"],
            withdrawals=row["withdrawals"],
            withdrawals_wait_until=row["withdrawals_wait_until"],
            stream=StreamState.of_json(row["stream"]),
            training_seconds=row["training_seconds"],
            busy=row["open_job_id"] is not None,
            awaits_feedback=row["awaits_feedback"],
            check_at=row["check_at"],
        )


@dataclass(frozen=True, slots=True)
class RetractionResult:
    """What retractions did: the feedback that a window had taken, and the changed statistics.

    One that came before changes nothing and is not among the new ones.
    """

    claimed_ids: tuple[UUID, ...] = ()
    stats: FeedbackStats | None = None
    new_ids: frozenset[UUID] = frozenset()

    @property
    def is_new(self) -> bool:
        """Whether any of them is new."""
        return bool(self.new_ids)


NewIds = frozenset[tuple[str, UUID]]
"""Tenants and event ids of the rows that an insert added."""


@dataclass(frozen=True, slots=True)
class InsertResult:
    """What an insert of feedback added; `new_ids` is None when every row was new.

    They are the ids that the rows came with, also of rows that are stored under another one.
    """

    stored: int
    stats: list[FeedbackStats]
    new_ids: NewIds | None = None
