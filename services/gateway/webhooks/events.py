"""Kinds of events that webhooks are sent, and the body of a request."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from archon_contracts.base import Contract
from archon_contracts.events import (
    DeploymentRefused,
    JobRejected,
    ModelDeployed,
    ModelRolledBack,
    RegressionDetected,
)


class WebhookEvent(StrEnum):
    """A kind of event that a webhook may ask for."""

    DEPLOYMENT = "deployment"  # a version is deployed, or an earlier one again
    REJECTION = "rejection"  # a job gave no version, or its version was not deployed
    REGRESSION = "regression"  # the deployed version got worse in production
    DEAD_LETTER = "dead_letter"  # a record could not be processed; for operators


KINDS: Final[dict[type[Contract], WebhookEvent]] = {
    ModelDeployed: WebhookEvent.DEPLOYMENT,
    ModelRolledBack: WebhookEvent.DEPLOYMENT,
    JobRejected: WebhookEvent.REJECTION,
    DeploymentRefused: WebhookEvent.REJECTION,
    RegressionDetected: WebhookEvent.REGRESSION,
}


def build_payload(
    kind: WebhookEvent,
    event: str,
    *,
    event_id: UUID | str,
    at: datetime,
    tenant_id: str,
    data: dict[str, Any],
) -> str:
    """The body of a request in JSON; `event` is the name of the system's own event."""
    body = {
        "type": kind.value,
        "event": event,
        "event_id": str(event_id),
        "occurred_at": at,
        "tenant_id": tenant_id,
        "data": data,
    }
    return orjson.dumps(body).decode()
