"""What can be chosen about the local system, by `ARCHON_LOCAL_...` variables or by the caller."""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from archon_contracts.topics import SERVICES
from deploy.local.errors import UnusableChoiceError

EMBEDDED = "embedded"
KAFKA = "kafka"
_ADDRESS = r"[A-Za-z0-9._-]+:[0-9]{1,5}"
_BROKER = re.compile(f"({EMBEDDED}|{KAFKA}|{_ADDRESS}(,{_ADDRESS})*)")
_DATABASE = re.compile(f"({EMBEDDED}|postgres(ql)?://.+)")


class LocalSettings(BaseSettings):
    """One frozen object per runtime. A port that is not chosen is a free one, kept if possible."""

    model_config = SettingsConfigDict(
        env_prefix="ARCHON_LOCAL_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(default=Path("var"), description="Where all data and logs live.")
    broker: str = Field(
        default=EMBEDDED,
        description="embedded, kafka (a node of KAFKA_HOME), or host:port,... of one elsewhere.",
    )
    database: str = Field(
        default=EMBEDDED,
        repr=False,
        description="embedded, or postgresql://... of one elsewhere.",
    )
    kafka_home: Path | None = Field(
        default=None,
        validation_alias="kafka_home",  # KAFKA_HOME: the name that Kafka's own scripts use
        description="Installation of Apache Kafka that the broker `kafka` runs from.",
    )
    java_home: Path | None = Field(
        default=None,
        validation_alias="java_home",
        description="Java for it; absent: java on the path.",
    )
    postgres_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of PostgreSQL; absent: a free one."
    )
    broker_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the broker; absent: a free one."
    )
    gateway_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the HTTP API; absent: a free one."
    )
    durable: bool = Field(
        default=True,
        description="Whether PostgreSQL waits for the disk; false only for a throw-away system.",
    )
    services: tuple[str, ...] = Field(default=SERVICES, description="Services to start.")
    ready_timeout_seconds: float = Field(
        default=60.0, gt=0, description="How long a stage of the start may take [s]."
    )
    stop_timeout_seconds: float = Field(
        default=12.0,
        gt=0,
        description="How long a process may take to end before it is killed [s].",
    )

    @model_validator(mode="after")
    def _names_servers(self) -> Self:
        if not _BROKER.fullmatch(self.broker):
            raise UnusableChoiceError(
                f"The broker is {self.broker}: name embedded, kafka or HOST:PORT,... instead."
            )
        if not _DATABASE.fullmatch(self.database):
            # Without the text: a mistyped URL may hold a password.
            raise UnusableChoiceError(
                "The database is neither embedded nor a postgresql://... URL: name one of them."
            )
        return self

    def signing_key_path(self, role: str) -> Path:
        """Where the key that signs a service's artifacts is kept, readable by its owner only.

        The trainer's is the one that earlier releases gave to every service: the models that it
        signed stay trusted, and so do the datasets, as any role's key is good for those.
        """
        name = "signing-key" if role == "trainer" else f"signing-key-{role}"
        return self.data_dir / name

    @property
    def sampling_secret_path(self) -> Path:
        """Where the key of the hashes that choose test and replayed items is kept, likewise."""
        return self.data_dir / "sampling-secret"

    @property
    def mac_key_path(self) -> Path:
        """Where the key of gateway and coordinator is kept that proves what the gateway checked."""
        return self.data_dir / "gateway-mac-key"

    @property
    def api_key_path(self) -> Path:
        """Where the gateway's first key is kept, readable by its owner only."""
        return self.data_dir / "api-key"
