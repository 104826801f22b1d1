"""Answers about dead letters.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime

from archon_contracts.client.sdk.answers.base import ApiAnswer


class DeadLetterInfo(ApiAnswer):
    """A dead letter in the list."""

    id: str
    service: str
    type: str | None = None
    at: datetime
    reason: str
    error_type: str
    attempts: int
    topic: str
    partition: int
    offset: int
    key: str | None = None
    first_at: datetime
    last_at: datetime
    size_bytes: int | None = None
    replays: int
    replayed_at: datetime | None = None


class DeadLetterDetailInfo(ApiAnswer):
    """A dead letter with all that was received."""

    id: str
    service: str
    type: str | None = None
    at: datetime
    reason: str
    error_type: str
    attempts: int
    topic: str
    partition: int
    offset: int
    key: str | None = None
    first_at: datetime
    last_at: datetime
    size_bytes: int | None = None
    replays: int
    replayed_at: datetime | None = None
    headers: dict[str, str | None]
    body: str | None = None
    body_encoding: str
