"""Webhooks as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from archon_contracts.base import Name
from services.gateway.requests import ONE_LINE, RequestBody
from services.gateway.views.base import View
from services.gateway.webhooks.events import WebhookEvent


class WebhookRequest(RequestBody):
    """An address to send events to."""

    url: Annotated[str, StringConstraints(min_length=8, max_length=2000, pattern=ONE_LINE)] = Field(
        description="https; http only to networks that the operator allows."
    )
    events: frozenset[WebhookEvent] = Field(
        fail_fast=True,
        min_length=1,
        description="deployment, rejection, regression; dead_letter for keys with `operate`.",
    )
    agents: frozenset[Name] | None = Field(
        fail_fast=True,
        default=None,
        min_length=1,
        max_length=1000,
        description="Only of these agents; absent: of all.",
    )


class WebhookView(View):
    """A webhook without its secret."""

    webhook_id: UUID
    url: str
    events: list[str]
    agents: list[str] | None = None
    created_at: datetime


class NewWebhook(WebhookView):
    """A new webhook with its secret, which no later answer shows."""

    secret: str


class DeliveryView(View):
    """One request to a webhook: what became of it so far."""

    delivery_id: UUID = Field(description="`webhook-id` of the request, in every attempt.")
    event: str
    state: str = Field(description="pending, delivered or failed.")
    attempts: int
    outcome: str = Field(description="The status of the last answer, or why there was none.")
    created_at: datetime
    ended_at: datetime | None = None
    next_attempt_at: datetime | None = None
