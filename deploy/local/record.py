"""`runtime.json`: what runs in a data directory, for other processes and for the next start."""

import os
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy.local import lock
from deploy.local.credentials import OWNER_ONLY
from deploy.local.processes.status import ProcessStatus
from deploy.local.settings import EMBEDDED

FILE_NAME = "runtime.json"


class Endpoints(BaseModel):
    """Where the components of the local system are reached. `database_url` contains a password."""

    model_config = ConfigDict(frozen=True)

    gateway_url: str
    database_url: str
    kafka_bootstrap_servers: str
    artifacts_url: str
    kafka_namespace: str = ""
    # `embedded`, `kafka` or `external`: the first does not long-poll, the last has the security
    # settings of the environment.
    broker_kind: str = EMBEDDED

    @property
    def idle_fetch_wait_seconds(self) -> float:
        """How long a consumer pauses after an empty fetch; Apache Kafka holds it back by itself."""
        return 0.1 if self.broker_kind == EMBEDDED else 0.0


class RuntimeRecord(BaseModel):
    """The last state that a runtime wrote down; `pid` is None once it has stopped."""

    model_config = ConfigDict(frozen=True)

    pid: int | None
    started_at: AwareDatetime
    endpoints: Endpoints
    # By name of the component, and `gateway-http` for the API; the next start takes the same if
    # free.
    ports: dict[str, int]
    processes: list[ProcessStatus]

    def save(self, data_dir: Path) -> None:
        """Replace the record in one step; only its owner can read it."""
        unfinished = data_dir / f"{FILE_NAME}.unfinished"
        # Before the content, which has a password in it.
        unfinished.touch(mode=OWNER_ONLY)
        unfinished.write_text(self.model_dump_json(indent=2))
        os.replace(unfinished, data_dir / FILE_NAME)

    @classmethod
    def load(cls, data_dir: Path) -> "RuntimeRecord | None":
        """Read the record of `data_dir`; None where nothing was ever started."""
        path = data_dir / FILE_NAME
        return cls.model_validate_json(path.read_text()) if path.exists() else None


def running(data_dir: Path) -> RuntimeRecord | None:
    """Describe the runtime that runs in `data_dir` now, with its memory; None when none does."""
    record = RuntimeRecord.load(data_dir)
    if record is None or record.pid is None or not lock.is_locked(data_dir):
        return None
    return record.model_copy(update={"processes": [each.measure() for each in record.processes]})
