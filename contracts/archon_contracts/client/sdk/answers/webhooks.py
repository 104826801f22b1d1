"""Answers about webhooks.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class NewWebhookInfo(ApiAnswer):
    """A new webhook with its secret, which no later answer shows."""

    webhook_id: UUID
    url: str
    events: list[str]
    agents: list[str] | None = None
    created_at: datetime
    secret: str


class WebhookInfo(ApiAnswer):
    """A webhook without its secret."""

    webhook_id: UUID
    url: str
    events: list[str]
    agents: list[str] | None = None
    created_at: datetime


class DeliveryInfo(ApiAnswer):
    """One request to a webhook: what became of it so far."""

    delivery_id: UUID = Field(description="`webhook-id` of the request, in every attempt.")
    event: str
    state: str = Field(description="pending, delivered or failed.")
    attempts: int
    outcome: str = Field(description="The status of the last answer, or why there was none.")
    created_at: datetime
    ended_at: datetime | None = None
    next_attempt_at: datetime | None = None
