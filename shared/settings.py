"""Settings that every service has. Read once, in `app.py`, from `ARCHON_...` variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from archon_contracts.namespace import NAMESPACE_PATTERN, Namespace
from shared.postgres.tenants import SERVICES_ROLE


class KafkaSecuritySettings(BaseSettings):
    """Kafka connection settings; the same for services and for the command line."""

    # Inputs stay out of errors: what cannot be read may be a password.
    model_config = SettingsConfigDict(
        env_prefix="ARCHON_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    namespace: str = Field(
        default="",
        pattern=NAMESPACE_PATTERN,
        description="Stands before topics, groups and client ids, for deployments on one Kafka.",
    )
    kafka_security_protocol: str = Field(
        default="PLAINTEXT",
        pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    )
    kafka_sasl_mechanism: str = Field(
        default="PLAIN", description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."
    )
    kafka_sasl_username: str | None = Field(
        default=None, description="SASL user; with OAUTHBEARER the client's id."
    )
    kafka_sasl_password: SecretStr | None = Field(
        default=None, description="SASL password; with OAUTHBEARER the client's secret."
    )
    kafka_sasl_oauth_url: str | None = Field(
        default=None, description="Where OAUTHBEARER gets its token, https://..."
    )
    kafka_sasl_oauth_scope: str = Field(
        default="", description="Scopes of that token, separated by spaces."
    )
    kafka_ssl_cafile: str | None = Field(
        default=None, description="CA bundle that signs the brokers, a path; else the system's."
    )
    kafka_ssl_certfile: str | None = Field(
        default=None, description="Client certificate for mutual TLS, a path to a PEM file."
    )
    kafka_ssl_keyfile: str | None = Field(
        default=None, description="Its private key, a path; absent: it is in the same file."
    )
    kafka_ssl_key_password: SecretStr | None = Field(
        default=None, description="Password of that key, if it has one."
    )

    @property
    def kafka_namespace(self) -> Namespace:
        """The namespace, to qualify names with."""
        return Namespace(self.namespace)


class ServiceSettings(KafkaSecuritySettings):
    """One frozen object per process; secrets never show in its text."""

    service: str = Field(description="Name of the service, and of its database schema.")
    database_url: SecretStr = Field(description="PostgreSQL URL, postgresql://...")
    database_pool_size: int = Field(default=6, ge=2, le=100, description="Connections at most.")
    database_role: str | None = Field(
        default=SERVICES_ROLE,
        pattern="^[a-z_][a-z0-9_]*$",
        description="Role that the service acts as; it must own no table. See `archon setup`.",
    )
    kafka_bootstrap_servers: str = Field(description="host:port, separated by commas.")
    kafka_empty_fetch_wait_max_ms: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Longest pause after an empty fetch [ms]; 0 for a broker that long-polls.",
    )
    artifacts_url: str = Field(description="fsspec URL of the artifact store, file:// or s3://.")
    artifacts_cache_dir: Path | None = Field(
        default=None,
        description="Folder of this user for copies of a remote store's artifacts; else the "
        "user's cache folder, or the temporary one where that cannot be written.",
    )
    artifacts_cache_bytes: int = Field(
        default=20_000_000_000,
        ge=1_000_000,
        description="Copies beyond this are dropped, the least used first [bytes].",
    )
    artifacts_signing_key: SecretStr | None = Field(
        default=None,
        description="Ed25519 private key of this service alone, 64 hex digits; signs what it "
        "publishes.",
    )
    artifacts_trusted_keys: str = Field(
        default="",
        description="Public keys, comma-separated; empty: the signing key's own, if there is one.",
    )
    artifacts_model_keys: str = Field(
        default="",
        description="Public keys of trainers, comma-separated: only what they signed is a model; "
        "empty: any trusted key.",
    )
    health_host: str = Field(default="127.0.0.1", description="Address of the health endpoint.")
    health_port: int = Field(ge=0, le=65535, description="Port of the health endpoint.")
    start_timeout_seconds: float = Field(
        default=30.0, gt=0, description="How long to wait for database and broker at start [s]."
    )
    shutdown_timeout_seconds: float = Field(
        default=6.0,
        gt=0,
        description="How long handlers may finish at stop; all of it takes 4 s more at most [s].",
    )
    outbox_shards: int = Field(default=2, ge=1, le=64, description="Ordered lanes of the outbox.")
    send_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A send unanswered this long is made again by a new producer [s].",
    )
    lease_seconds: float = Field(default=10.0, gt=1, description="Life of an unrenewed lease [s].")
    handler_timeout_seconds: float = Field(
        default=60.0, gt=0, lt=300, description="A handler that takes longer is tried again [s]."
    )
    handler_attempts: int = Field(
        default=5, ge=1, le=20, description="Tries of a message before it is a dead letter."
    )
    otlp_endpoint: str | None = Field(
        default=None, description="OTLP/HTTP collector, such as http://collector:4318."
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR.",
    )
    revision: str = Field(default="unknown", description="Code revision, kept in lineage.")
