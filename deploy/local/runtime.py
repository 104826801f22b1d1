"""The whole local system: database, broker and services, from nothing to ready and back."""

import os
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from archon_contracts.namespace import Namespace
from deploy.local import lock
from deploy.local.credentials import random_key, read_or_create
from deploy.local.layout import GATEWAY_HTTP, choose_ports
from deploy.local.prepare import prepare
from deploy.local.processes.status import ProcessStatus
from deploy.local.processes.supervisor import Supervisor
from deploy.local.processes.tcp_ports import LOOPBACK
from deploy.local.record import Endpoints, RuntimeRecord
from deploy.local.revision import code_revision
from deploy.local.servers.choice import EXTERNAL, ChosenServers
from deploy.local.servers.service_process import ServiceProcess
from deploy.local.settings import LocalSettings
from shared.artifacts.signing import Signer
from shared.artifacts.store import ArtifactStore
from shared.kafka.security import security_arguments
from shared.settings import KafkaSecuritySettings

TRAINER: Final = "trainer"
SIGNING_ROLES: Final = (
    "gateway",
    "coordinator",
    "data_prep",
    "synthetic_generator",
    TRAINER,
    "evaluator",
)
"""Services that publish artifacts, each with a key of its own."""


class Runtime:
    """`async with Runtime(settings) as runtime:` everything is ready inside, nothing runs after.

    Enter it in the main thread: the kernel ties the children's lives to that thread's.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._data_dir = settings.data_dir.resolve()
        self._supervisor = Supervisor(
            ready_timeout_seconds=settings.ready_timeout_seconds,
            stop_timeout_seconds=settings.stop_timeout_seconds,
            on_change=self._save_record,
        )
        self._cleanup = AsyncExitStack()
        self._record: RuntimeRecord | None = None

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            UnusableChoiceError: a chosen port is taken, or a chosen server cannot be used.
            AlreadyRunningError: another runtime uses the data directory.
            StartError: a component does not come up.
        """
        async with AsyncExitStack() as cleanup:
            cleanup.enter_context(lock.exclusive(self._data_dir))
            cleanup.callback(self._record_stopped)
            cleanup.push_async_callback(self._supervisor.stop)
            await self._start()
            # Reached only when everything is up: from now on `__aexit__` cleans up.
            self._cleanup = cleanup.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._cleanup.aclose()

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is reached."""
        return self.record.endpoints

    @property
    def record(self) -> RuntimeRecord:
        """What is also written to `runtime.json`."""
        if self._record is None:
            raise RuntimeError("the runtime was not entered")
        return self._record

    @property
    def api_key(self) -> str:
        """The key that the gateway accepts; made at the first start."""
        return read_or_create(self._settings.api_key_path)

    @property
    def public_key(self) -> str:
        """The key that identifies this system's models; agents may trust it alone."""
        return Signer(self._signing_key(TRAINER)).public_key

    def open_artifacts(self) -> ArtifactStore:
        """The system's artifact store; what is published is signed with its trainer's key."""
        signer = Signer(self._signing_key(TRAINER))
        return ArtifactStore(self.endpoints.artifacts_url, signer=signer)

    def _signing_key(self, role: str) -> str:
        """The private key of one role, made at the first start."""
        return read_or_create(self._settings.signing_key_path(role), random_key)

    def status(self) -> list[ProcessStatus]:
        """Describe every process, with the memory it holds now."""
        return [status.measure() for status in self._supervisor.status()]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a component's process a signal, as a fault would; the supervisor starts it again."""
        self._supervisor.kill(name, number)

    async def _start(self) -> None:
        previous = RuntimeRecord.load(self._data_dir)
        ports = choose_ports(self._settings, previous.ports if previous else {})
        servers = ChosenServers.of(self._settings, self._data_dir, ports, self._data_dir / "log")
        await servers.require_external()
        self._record = self._new_record(servers, ports)
        await self._supervisor.start(servers.started_here)
        if servers.postgres is not None:
            await servers.postgres.provision()
        external = servers.broker is None
        await prepare(
            servers.database_url,
            servers.bootstrap_servers,
            services=self._settings.services,
            replication_factor=None if external else 1,
            security=security_arguments(KafkaSecuritySettings()) if external else None,
            namespace=Namespace(self.endpoints.kafka_namespace),
        )
        await self._supervisor.start(self._service_processes(ports))

    def _service_processes(self, ports: dict[str, int]) -> list[ServiceProcess]:
        environment = self._service_environment()
        public = {role: Signer(self._signing_key(role)).public_key for role in SIGNING_ROLES}
        environment |= {
            "ARCHON_ARTIFACTS_TRUSTED_KEYS": ",".join(public.values()),
            "ARCHON_ARTIFACTS_MODEL_KEYS": public[TRAINER],
        }
        own = self._own_settings()
        return [
            ServiceProcess(name, ports[name], environment | own.get(name, {}), self._log_path(name))
            for name in self._settings.services
        ]

    def _own_settings(self) -> dict[str, dict[str, str]]:
        """Give each secret to the services that need it, and to no other."""
        mac = {"ARCHON_GATEWAY_MAC_KEY": read_or_create(self._settings.mac_key_path, random_key)}
        secret = read_or_create(self._settings.sampling_secret_path, random_key)
        own = {
            "gateway": {"ARCHON_GATEWAY_BOOTSTRAP_API_KEY": self.api_key, **mac},
            "coordinator": dict(mac),
            "data_prep": {"ARCHON_DATA_PREP_SAMPLING_SECRET": secret},
        }
        for role in SIGNING_ROLES:
            signing = {"ARCHON_ARTIFACTS_SIGNING_KEY": self._signing_key(role)}
            own.setdefault(role, {}).update(signing)
        return own

    def _service_environment(self) -> dict[str, str]:
        """Say where everything is; other settings of the services pass through from our own."""
        endpoints = self.endpoints
        return {
            "HF_HUB_OFFLINE": "1",
            # Beside the rest of the system, and gone with it.
            "ARCHON_TRAINER_WORK_DIR": str(self._data_dir / "trainer"),
            **os.environ,
            # A killed service shall not take its last log lines with it.
            "PYTHONUNBUFFERED": "1",
            "ARCHON_DATABASE_URL": endpoints.database_url,
            "ARCHON_KAFKA_BOOTSTRAP_SERVERS": endpoints.kafka_bootstrap_servers,
            **_broker_settings(endpoints),
            "ARCHON_ARTIFACTS_URL": endpoints.artifacts_url,
            "ARCHON_REVISION": code_revision(),
            "ARCHON_GATEWAY_PORT": str(self.record.ports[GATEWAY_HTTP]),
        }

    def _new_record(self, servers: ChosenServers, ports: dict[str, int]) -> RuntimeRecord:
        artifacts = self._data_dir / "artifacts"
        artifacts.mkdir(exist_ok=True)
        return RuntimeRecord(
            pid=os.getpid(),
            started_at=datetime.now(UTC),
            endpoints=Endpoints(
                gateway_url=f"http://{LOOPBACK}:{ports[GATEWAY_HTTP]}",
                database_url=servers.database_url,
                kafka_bootstrap_servers=servers.bootstrap_servers,
                artifacts_url=artifacts.as_uri(),
                # Also of a later command of another shell that looks at this system.
                kafka_namespace=KafkaSecuritySettings().namespace,
                broker_kind=servers.broker_kind,
            ),
            ports=ports,
            processes=[],
        )

    def _save_record(self) -> None:
        self._record = self.record.model_copy(update={"processes": self._supervisor.status()})
        self._record.save(self._data_dir)

    def _record_stopped(self) -> None:
        if self._record is not None:
            self._record.model_copy(update={"pid": None, "processes": []}).save(self._data_dir)

    def _log_path(self, name: str) -> Path:
        return self._data_dir / "log" / f"{name}.log"


def _broker_settings(endpoints: Endpoints) -> dict[str, str]:
    """What a broker that was started here needs; one elsewhere has the settings of our own
    environment."""
    if endpoints.broker_kind == EXTERNAL:
        return {}
    return {
        "ARCHON_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        # The embedded broker answers an empty fetch at once; the client has to pause itself.
        "ARCHON_KAFKA_EMPTY_FETCH_WAIT_MAX_MS": f"{endpoints.idle_fetch_wait_seconds * 1000:g}",
    }
