"""The agent as a process of its own, as it would run at its developer's."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.processes.child import Child, Program
from deploy.local.record import Endpoints
from deploy.local.servers.choice import EXTERNAL
from deploy.local.servers.service_process import PROJECT_ROOT
from shared.settings import KafkaSecuritySettings

STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class AgentFiles:
    """What the agent reads and writes."""

    requests: Path
    client_log: Path
    log: Path

    @classmethod
    def fresh(cls, folder: Path) -> "AgentFiles":
        """Empty files in `folder`, so that an earlier demo's answers are not counted."""
        folder.mkdir(parents=True, exist_ok=True)
        files = cls(folder / "requests.jsonl", folder / "client_log.jsonl", folder / "agent.log")
        for path in (files.requests, files.client_log, files.log):
            path.write_text("")
        return files


class AgentProcess:
    """Started by `start`, stopped at the end of the block; SIGTERM lets it flush its spans."""

    def __init__(
        self,
        agent_id: str,
        files: AgentFiles,
        endpoints: Endpoints,
        api_key: str,
        *,
        trusted_key: str = "",
    ) -> None:
        self._files = files
        self._environment = {
            **os.environ,
            "AGENT_ID": agent_id,
            "AGENT_TENANT_ID": "default",
            "AGENT_KAFKA_BOOTSTRAP_SERVERS": endpoints.kafka_bootstrap_servers,
            "AGENT_KAFKA_NAMESPACE": endpoints.kafka_namespace,
            "AGENT_KAFKA_IDLE_WAIT_SECONDS": str(endpoints.idle_fetch_wait_seconds),
            **(_security() if endpoints.broker_kind == EXTERNAL else {}),
            "AGENT_GATEWAY_URL": endpoints.gateway_url,
            "AGENT_API_KEY": api_key,
            "AGENT_TRUSTED_KEYS": trusted_key,
            "AGENT_REQUESTS": str(files.requests.resolve()),
            "AGENT_CLIENT_LOG": str(files.client_log.resolve()),
            "OMP_NUM_THREADS": "1",
        }
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child and self._child.returncode is None else None

    @property
    def has_ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self._child is not None and self._child.returncode is not None

    def last_log_line(self) -> str:
        """The last line of its log."""
        lines = self._files.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it logged nothing"

    async def start(self) -> None:
        """Start it; call this in the main thread, whose life it shares."""
        self._child = await Child.spawn(
            Program(
                argv=(sys.executable, "-m", "deploy.demo.agent"),
                log_path=self._files.log,
                environment=self._environment,
                directory=PROJECT_ROOT,
            )
        )

    async def stop(self) -> None:
        """End it; it is killed when it does not end by itself."""
        if self.pid is not None and self._child is not None:
            await self._child.stop(STOP_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


def _security() -> dict[str, str]:
    """How the services reach a Kafka that runs elsewhere, as the agent's own settings."""
    services = KafkaSecuritySettings()
    protocol, password = services.kafka_security_protocol, services.kafka_sasl_password
    key_password = services.kafka_ssl_key_password
    chosen = {
        "AGENT_KAFKA_TLS": str(protocol.endswith("SSL")),
        "AGENT_KAFKA_CA_FILE": services.kafka_ssl_cafile,
        "AGENT_KAFKA_CERTIFICATE_FILE": services.kafka_ssl_certfile,
        "AGENT_KAFKA_KEY_FILE": services.kafka_ssl_keyfile,
        "AGENT_KAFKA_KEY_PASSWORD": key_password.get_secret_value() if key_password else None,
        "AGENT_KAFKA_SASL_MECHANISM": (
            services.kafka_sasl_mechanism if protocol.startswith("SASL") else None
        ),
        "AGENT_KAFKA_USERNAME": services.kafka_sasl_username,
        "AGENT_KAFKA_OAUTH_URL": services.kafka_sasl_oauth_url,
        "AGENT_KAFKA_OAUTH_SCOPE": services.kafka_sasl_oauth_scope,
        "AGENT_KAFKA_PASSWORD": password.get_secret_value() if password else None,
    }
    return {name: value for name, value in chosen.items() if value is not None}
