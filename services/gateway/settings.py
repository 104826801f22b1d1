"""Settings of the gateway."""

from __future__ import annotations

from pydantic import Field, SecretStr

from archon_contracts.rules.bounds import MAX_EVENT_BYTES
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
    gateway_mac_key: SecretStr | None = Field(
        default=None,
        description="Key of the proof that the gateway checked a record, for gateway and "
        "coordinator alone, 64 hex digits; absent: writers of the topics are believed.",
    )
    gateway_body_limit_bytes: int = Field(
        default=8_388_608, ge=1024, description="Largest request body [bytes]."
    )
    gateway_body_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait for a whole request body [s]."
    )
    gateway_event_limit_bytes: int = Field(
        default=MAX_EVENT_BYTES,
        ge=1024,
        description="Largest single event [bytes]; the coordinator's ARCHON_FEEDBACK_MAX_BYTES "
        "and the broker's message.max.bytes must allow it.",
    )
    gateway_ack_timeout_seconds: float = Field(
        default=5.0, gt=0, description="Longest wait for the broker's acknowledgement [s]."
    )
    gateway_agent_wait_seconds: float = Field(
        default=5.0, ge=0, description="Longest wait for a new agent to be configured [s]."
    )
    gateway_requests_per_second: float = Field(
        default=1000.0, ge=0, description="Requests of one API key [1/s]; 0: no limit."
    )
    gateway_events_per_second: float = Field(
        default=20_000.0, ge=0, description="Feedback events of one API key [1/s]; 0: no limit."
    )
    gateway_tenant_rate_multiple: float = Field(
        default=2.0,
        ge=1,
        description="Rates of all keys of a tenant together, in rates of one key.",
    )
    gateway_keys_per_tenant: int = Field(
        default=1_000,
        ge=1,
        description="Valid API keys of one tenant; one more is a conflict (409).",
    )
    gateway_jobs_per_tenant: int = Field(
        default=200,
        ge=0,
        description="Jobs, requests for synthetic data, and benchmarks, of one tenant that have "
        "not ended; a further one is refused (429); 0: no limit.",
    )
    gateway_burst_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Burst: seconds of unused rate that a key may use at once [s].",
    )
    gateway_failed_authentications_per_minute: float = Field(
        default=60.0,
        ge=0,
        description="Requests without a valid key from one address (IPv6: /64) [1/min]; 0: any.",
    )
    gateway_trusted_proxies: str = Field(
        default="",
        description="Addresses or networks whose X-Forwarded-For is trusted, by commas.",
    )
    gateway_outbox_age_limit_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Commands are refused when one has waited this long [s]; 0: never.",
    )
    gateway_outbox_backlog_limit: int = Field(
        default=10_000,
        ge=0,
        description="Commands are refused when this many wait in the outbox; 0: never.",
    )
    gateway_outbox_poll_seconds: float = Field(
        default=1.0, gt=0, description="Time between two polls of the outbox [s]."
    )
    gateway_inflight_events_limit: int = Field(
        default=50_000,
        ge=0,
        description="Feedback events sent and not acknowledged yet; 0: no limit.",
    )
    gateway_inflight_bytes_limit: int = Field(
        default=67_108_864,
        ge=0,
        description="Feedback bodies received and not answered yet [bytes]; 0: no limit.",
    )
    gateway_inflight_requests_limit: int = Field(
        default=1_000,
        ge=0,
        description="Requests that are being answered, and open event streams; 0: no limit.",
    )
    gateway_inflight_tenant_fraction: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Fraction of the in-flight limits that one tenant may use.",
    )
    gateway_recent_events: int = Field(
        default=10_000, ge=100, description="Events kept for streams that resume."
    )
    gateway_webhook_private_networks: str = Field(
        default="",
        description="Networks that are not public and that webhooks may reach all the same, such "
        "as 10.0.0.0/8, by commas; http is allowed there.",
    )
    gateway_streams_per_key: int = Field(
        default=20, ge=0, description="Event streams that one API key may have open; 0: no limit."
    )
    gateway_stream_check_seconds: float = Field(
        default=15.0,
        gt=0,
        le=30,
        description="Time between two checks of a stream's key [s].",
    )
    gateway_metrics_keep_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days that metric points are kept after the end of their month [d]; 0: for "
        "ever.",
    )
