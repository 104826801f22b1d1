"""Trainer processes that share a database, artifacts and folders, and learn next to nothing."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import psutil

from archon_contracts.events import TrainingCompleted, TrainingStarted
from archon_contracts.values import ArtifactRef
from deploy.local.processes.child import Child, Program
from deploy.local.servers.service_process import PROJECT_ROOT
from shared.process.service_context import ServiceContext
from tests.faults.brokers.servers import Reader, Servers
from tests.faults.waiting import until
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of
from tests.support.training.trainer import TrainerHarness, train

STOP_SECONDS = 10.0


class Trainers:
    """Orders for the trainer, and the processes that work on them."""

    def __init__(
        self, shared: ServiceContext, servers: Servers, folder: Path, dataset: ArtifactRef
    ):
        self._shared = shared
        self._servers = servers
        self._folder = folder
        self._dataset = dataset
        self._service = TrainerHarness(shared, folder / "work", "learn").service
        self._running: dict[int, Child] = {}
        self.reader: Reader = servers.reader()

    async def start(self, entry: str) -> int:
        """Start one more process; returns its id."""
        child = await Child.spawn(
            Program(
                argv=(
                    *(sys.executable, "-m", "tests.support.training.trainer_process"),
                    *(self._servers.database_url, str(self._folder / "artifacts")),
                    *(str(self._folder / "work"), entry),
                ),
                log_path=self._log,
                directory=PROJECT_ROOT,
            )
        )
        self._running[child.pid] = child
        return child.pid

    @property
    def _log(self) -> Path:
        return self._folder / "trainers.log"

    def send(self, pid: int, number: signal.Signals) -> None:
        """Send one of the processes a signal."""
        self._running[pid].send_signal(number)

    async def kill(self, pid: int) -> None:
        """Kill one of the processes with its children."""
        child = self._running.pop(pid)
        child.send_signal(signal.SIGKILL)
        await child.wait()

    def kill_child(self, pid: int) -> None:
        """Kill the training itself: the newest process below one of the trainers."""
        below = psutil.Process(pid).children(recursive=True)
        max(below, key=lambda process: process.create_time()).kill()

    async def dispatch(self, steps: int = 3) -> UUID:
        """Ask for a training; returns its job."""
        command = train(self._dataset, steps=steps)
        await self._shared.inbox.run_once(message_of(command), self._service.accept_training)
        return command.job_id

    def checkpoints(self, job_id: UUID) -> Path:
        """Where the first attempt at a job keeps its checkpoints."""
        return self._folder / "work" / str(job_id) / "1" / "checkpoints"

    async def owner(self, job_id: UUID, *, but_not: int = 0, timeout: float = 30) -> int:
        """The process that holds the job's lease; 0 when none took it in time."""
        found: list[int] = []

        async def leased() -> bool:
            rows = await self.reader.fetch(
                "SELECT owner FROM trainer.work WHERE key = $1 AND state = 'leased'", str(job_id)
            )
            found[:] = [int(row["owner"].rpartition(":")[2]) for row in rows]
            return bool(found) and found[0] != but_not

        return found[0] if await until(leased, timeout=timeout) else 0

    async def over(self, job_id: UUID, *, timeout: float = 60) -> bool:
        """Wait until the job's work is over."""

        async def done() -> bool:
            query = "SELECT count(*) FROM trainer.work WHERE key = $1 AND state = 'done'"
            return await self.reader.value(query, str(job_id)) == 1

        return await until(done, timeout=timeout)

    async def resumed(self) -> int:
        """How many trainings were reported to have resumed from a checkpoint."""
        events = await events_of(self._shared.database)
        started = (event for event in events if isinstance(event, TrainingStarted))
        return sum(event.resumed_from_step > 0 for event in started)

    async def models(self) -> list[TrainingCompleted]:
        """Every model that was reported."""
        events = await events_of(self._shared.database)
        return [event for event in events if isinstance(event, TrainingCompleted)]

    def logged(self, event: str) -> int:
        """How often the processes logged this."""
        return self._log.read_text().count(event) if self._log.exists() else 0

    async def stop(self) -> None:
        """End all processes."""
        for child in self._running.values():
            child.send_signal(signal.SIGCONT)
            await child.stop(STOP_SECONDS)
        self.reader.close()


@asynccontextmanager
async def trainers(servers: Servers, folder: Path) -> AsyncIterator[Trainers]:
    """Trainers that are ended with the block."""
    settings = probe_settings(
        servers.database_url, service="trainer", artifacts_url=(folder / "artifacts").as_uri()
    )
    async with open_service_context(settings) as shared:
        dataset = await shared.artifacts.publish_files({"train.jsonl": b'{"id": 1}\n'})
        them = Trainers(shared, servers, folder, dataset)
        try:
            yield them
        finally:
            await them.stop()
