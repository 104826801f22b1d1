"""A Kafka-protocol broker as a child process, from the package `noida-db`.

The program speaks several databases' protocols; only Kafka is switched on. It also opens a control
port on the loopback address, by itself, at a free number.
"""

import asyncio
import importlib.util
import json
import signal
from pathlib import Path

import psutil

from deploy.local.credentials import OWNER_ONLY_FOLDER
from deploy.local.errors import MissingPackageError
from deploy.local.processes import leftovers
from deploy.local.processes.child import Child, Program
from deploy.local.processes.component import STOP_SECONDS, start_unsupervised
from deploy.local.processes.probes import accepts_connections
from deploy.local.processes.tcp_ports import LOOPBACK, require_free


class EmbeddedBroker:
    """A broker that keeps its data in one directory, which the caller alone uses.

    Records survive `stop` and kill -9 of this process (the broker is then asked to end and saves).
    Not so kill -9 of the broker itself: it saves about once a second, less often as it grows, and
    loses what it acknowledged since. Where that matters, Apache Kafka is the broker to use.
    """

    name = "broker"

    def __init__(self, data_dir: Path, port: int, *, log_path: Path | None = None) -> None:
        self.port = port
        self._directory = data_dir.resolve()
        self.log_path = log_path or self._directory / "broker.log"
        self._program = _installed_program()
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address that Kafka clients are given."""
        return f"{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Start the broker and return when it accepts clients.

        Raises:
            StartError: it ended, or was not ready in time.
        """
        self._child = await start_unsupervised(self)

    async def stop(self) -> None:
        """Shut down; everything acknowledged is on disk."""
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)
            self._child = None

    async def launch(self) -> Child:
        """Start the broker process, having ended one that an earlier run left behind."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(OWNER_ONLY_FOLDER)  # its file holds what users last_line
        await asyncio.to_thread(self._end_leftover)
        require_free(self.name, self.port)
        return await Child.spawn(
            Program(
                argv=(
                    *(str(self._program), "start", "--data-dir", str(self._directory)),
                    *("--host", LOOPBACK, "--only", "kafka", "--kafka-port", str(self.port)),
                ),
                log_path=self.log_path,
                death_signal=signal.SIGTERM,
            )
        )

    async def is_ready(self) -> bool:
        """Return whether the broker accepts clients."""
        return await accepts_connections(self.port)

    def _end_leftover(self) -> None:
        control_file = self._directory / "noida.control.json"
        if not control_file.exists():
            return
        recorded = json.loads(control_file.read_text())["pid"]
        # A killed broker leaves the file; its number may by now be that of any other process.
        if psutil.pid_exists(recorded) and psutil.Process(recorded).name() == "noida-db":
            leftovers.end_all([psutil.Process(recorded)], signal.SIGTERM)


def _installed_program() -> Path:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise MissingPackageError("noida-db")
    return Path(spec.origin).with_name("noida-db")
