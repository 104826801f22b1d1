"""One node of Apache Kafka (KRaft) as a child process, formatted at its first start."""

import asyncio
import base64
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.local.credentials import OWNER_ONLY_FOLDER
from deploy.local.errors import StartError, UnusableChoiceError
from deploy.local.processes import leftovers
from deploy.local.processes.child import Child, Program
from deploy.local.processes.component import STOP_SECONDS, start_unsupervised
from deploy.local.processes.probes import accepts_connections
from deploy.local.processes.tcp_ports import LOOPBACK, require_free
from deploy.local.servers.kafka_home import KafkaHome

FORMAT_SECONDS = 60
READY_SECONDS = 2.0
CLUSTER_ID = "cluster-id"
VERSION = "kafka-version"


class KafkaNode:
    """A broker and controller in one process, whose data is in one directory of the caller's.

    What it acknowledged survives kill -9 of the node; one node keeps one copy, so a lost disk or a
    power cut before the disk is written loses records. `properties` add to or replace the
    settings; nodes of one cluster each name all of them in `controller.quorum.voters`.
    """

    name = "broker"

    def __init__(
        self,
        home: KafkaHome,
        data_dir: Path,
        port: int,
        controller_port: int,
        *,
        log_path: Path | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self._controller_port = controller_port
        self._home = home
        self._directory = data_dir.resolve()
        self.log_path = log_path or self._directory / "broker.log"
        self._properties = properties or {}
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address that Kafka clients are given."""
        return f"{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Start the node, unsupervised, and return when it answers.

        Raises:
            UnusableChoiceError: its data or a port is another's.
            StartError: it ended, or was not ready in time.
        """
        self._child = await start_unsupervised(self)

    async def stop(self) -> None:
        """Shut down in order; data stays."""
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)
            self._child = None

    async def launch(self) -> Child:
        """Start the process, having formatted its folder and ended what an earlier run left."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(OWNER_ONLY_FOLDER)
        await asyncio.to_thread(
            lambda: leftovers.end_all(leftovers.running_in(self._directory, "java"), signal.SIGTERM)
        )
        require_free(self.name, self.port)
        require_free("the broker's controller", self._controller_port)
        (self._directory / "server.properties").write_text(self._server_properties())
        await asyncio.to_thread(self._prepare_data)
        return await Child.spawn(
            Program(
                argv=(
                    self._home.script("kafka-server-start.sh"),
                    str(self._directory / "server.properties"),
                ),
                log_path=self.log_path,
                environment=self._home.environment(self._directory),
                # The place by which a later run knows a node that outlived this process.
                directory=self._directory,
                death_signal=signal.SIGTERM,
            )
        )

    async def is_ready(self) -> bool:
        """Return whether the node has joined its cluster and answers."""
        # A client logs each refused connection as an error: hundreds while the node starts.
        if not await accepts_connections(self.port):
            return False
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap_servers)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await client.bootstrap()
                return bool(client.cluster.brokers())
        except (KafkaError, OSError):
            return False
        finally:
            await client.close()

    def _prepare_data(self) -> None:
        """Format the folder at the first start; later, refuse data that this is not the node of."""
        meta = self._directory / "data" / "meta.properties"
        known = self._directory / CLUSTER_ID
        if not meta.exists():
            if not known.exists():
                known.write_text(new_cluster_id())
            # First: a start that is killed in between must not leave data of an unknown version.
            (self._directory / VERSION).write_text(self._home.version)
            self._format(known.read_text())
            return
        lines = meta.read_text().splitlines()
        stored = next((line[11:] for line in lines if line.startswith("cluster.id=")), "")
        if not known.exists() or stored != known.read_text():
            raise UnusableChoiceError(
                f"The data in {self._directory} is of another Kafka cluster ({stored}): name "
                "another data folder, or move this one away."
            )
        writer = (self._directory / VERSION).read_text()
        if _numbers(writer) > _numbers(self._home.version):
            raise UnusableChoiceError(
                f"The data in {self._directory} was written by Kafka {writer} and KAFKA_HOME holds "
                f"{self._home.version}, which may not read it: use {writer} or newer."
            )
        (self._directory / VERSION).write_text(self._home.version)

    def _format(self, cluster_id: str) -> None:
        command = [self._home.script("kafka-storage.sh"), "format", "-t", cluster_id]
        with self.log_path.open("ab") as log:
            done = subprocess.run(
                [*command, "-c", str(self._directory / "server.properties")],
                env=self._home.environment(self._directory),
                stdout=log,
                stderr=log,
                timeout=FORMAT_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            raise StartError(self.name, "could not format its data folder", self.log_path)

    def _server_properties(self) -> str:
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},"
            f"CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._directory / "data"),
            # Topics have owners and partition counts; a misspelt name must not make one.
            "auto.create.topics.enable": "false",
            # One node keeps one copy, of its own topics too.
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            # Kafka's 50 partitions serve large clusters; each costs files and start-up time here.
            "offsets.topic.num.partitions": "4",
            # Groups have one or two members here: waiting for more would only delay the start.
            "group.initial.rebalance.delay.ms": "0",
            **self._properties,
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())


def new_cluster_id() -> str:
    """A random id as Kafka writes it; one that begins with a hyphen would be read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".") if number.isdigit())
