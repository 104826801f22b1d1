"""Settings of the gateway."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read once, in `app.py`."""

    service: str = Field(default="gateway", description="Name of the service and its schema.")
    gateway_host: str = Field(default="127.0.0.1", description="Address of the HTTP API.")
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="Port of the HTTP API.")
    gateway_bootstrap_api_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="A key of tenant `default` with every scope; stored as a hash at start.",
    )
    gateway_body_limit_bytes: int = Field(
        default=8_388_608, ge=1024, description="Largest request body [bytes]."
    )
    gateway_event_limit_bytes: int = Field(
        default=1_000_000,
        ge=1024,
        description="Largest single event [bytes]; below the broker's message.max.bytes.",
    )
    gateway_ack_timeout_seconds: float = Field(
        default=5.0, gt=0, description="Longest wait for the broker's acknowledgement [s]."
    )
    gateway_agent_wait_seconds: float = Field(
        default=5.0, ge=0, description="Longest wait for a new agent to be configured [s]."
    )
    gateway_recent_events: int = Field(
        default=10_000, ge=100, description="Events kept for streams that resume."
    )
