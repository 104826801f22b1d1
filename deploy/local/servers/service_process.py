"""A service as a component of the local system: `python -m services.NAME`, health checked."""

import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.processes.child import Child, Program
from deploy.local.processes.group_members import evict_members
from deploy.local.processes.probes import answers_ready
from deploy.local.processes.tcp_ports import require_free
from shared.kafka.security import security_arguments
from shared.settings import KafkaSecuritySettings

# `python -m` finds the packages from here, whether they are installed or only checked out.
PROJECT_ROOT = Path(__file__).resolve().parents[3]


class ServiceProcess:
    """Launches one service; `port` is that of its health endpoint."""

    def __init__(
        self, name: str, port: int, environment: Mapping[str, str], log_path: Path
    ) -> None:
        self.name = name
        self.port = port
        self.log_path = log_path
        self._environment = {**environment, "ARCHON_HEALTH_PORT": str(port)}

    async def launch(self) -> Child:
        """Start the process; a stranger on its port or its dead self in Kafka stand in its way."""
        require_free(self.name, self.port)
        servers = self._environment["ARCHON_KAFKA_BOOTSTRAP_SERVERS"]
        kafka = _kafka_settings(self._environment)
        await evict_members(servers, self.name, security_arguments(kafka), kafka.kafka_namespace)
        return await Child.spawn(
            Program(
                argv=(sys.executable, "-m", f"services.{self.name}"),
                log_path=self.log_path,
                environment=self._environment,
                directory=PROJECT_ROOT,
            )
        )

    async def is_ready(self) -> bool:
        """Ask the service itself."""
        return await answers_ready(self.port)


def _kafka_settings(environment: Mapping[str, str]) -> KafkaSecuritySettings:
    """TLS, SASL and the namespace as the service itself will read them."""
    prefix = "ARCHON_"
    fields = {
        name.removeprefix(prefix).lower(): value
        for name, value in environment.items()
        if name.removeprefix(prefix).lower() in KafkaSecuritySettings.model_fields
    }
    return KafkaSecuritySettings.model_validate(fields)
