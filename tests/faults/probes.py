"""Processes of the made-up services, and what they stored in the database."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson

from archon_contracts.envelope import HeaderView
from deploy.local.processes.backoff import Backoff
from deploy.local.processes.child import Child, Program
from deploy.local.processes.group_members import evict_members
from deploy.local.processes.probes import answers_ready
from deploy.local.processes.status import ProcessStatus
from deploy.local.processes.supervisor import Supervisor
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.service_process import PROJECT_ROOT
from shared.messaging.outbox import decode_headers
from shared.postgres.migrations import migrate
from tests.faults.brokers.servers import Reader, Servers
from tests.faults.waiting import until, until_still
from tests.faults.workload.load import CommandLoad

TABLES = """
CREATE TABLE {schema}.effects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    step text NOT NULL, event_id uuid NOT NULL, key text NOT NULL, number integer NOT NULL
);
CREATE TABLE {schema}.witness (
    at timestamptz NOT NULL DEFAULT now(),
    pid integer NOT NULL, rss_bytes bigint NOT NULL, generation integer NOT NULL
);
"""
PROBE = "tests.support.infrastructure.probe_process"
STOP_SECONDS = 30.0  # nobody is killed for stopping slowly: that it does not is tested
QUICK_RESTARTS = Backoff(first_seconds=0.05, longest_seconds=0.2)


@dataclass(slots=True)
class ProbeComponent:
    """One probe process as the supervisor sees it; the only member of its group if it is killed."""

    name: str
    port: int
    log_path: Path
    environment: dict[str, str]
    module: str = PROBE
    launches: int = 0

    async def launch(self) -> Child:
        """Start the process, having put the one that was killed out of its group."""
        if self.launches:
            servers = self.environment["ARCHON_KAFKA_BOOTSTRAP_SERVERS"]
            await evict_members(servers, self.environment["ARCHON_SERVICE"])
        self.launches += 1
        return await Child.spawn(
            Program(
                argv=(sys.executable, "-m", self.module),
                log_path=self.log_path,
                environment={**os.environ, **self.environment},
                directory=PROJECT_ROOT,
            )
        )

    async def is_ready(self) -> bool:
        """Ask the process itself."""
        return await answers_ready(self.port)


@dataclass(frozen=True, slots=True)
class ProbeEffects:
    """What a probe's database says: effects by step in order, and ids of dead letters."""

    handled: list[asyncpg.Record]
    consumed: list[str]
    worked: list[str]
    quarantined: list[str]

    @property
    def out_of_order(self) -> int:
        """Keys whose commands took effect in another order than they were sent in."""
        last: dict[str, int] = {}
        wrong = set()
        for row in self.handled:
            if row["number"] <= last.get(row["key"], -1):
                wrong.add(row["key"])
            last[row["key"]] = row["number"]
        return len(wrong)


def count_fault_lines(log: Path) -> int:
    """Lines that are no plain facts of a service's work, such as that a redelivered message was
    passed over."""
    lines = log.read_text(errors="replace").splitlines()
    return sum(bool(line.strip()) and '"level": "info"' not in line for line in lines)


class Fleet:
    """Supervised processes of one schema: probes, or a service that `module` runs."""

    def __init__(self, servers: Servers, folder: Path, schema: str, *, module: str = PROBE) -> None:
        self.servers = servers
        self.schema = schema
        self._module = module
        self.reader: Reader = servers.reader()
        self._own: dict[str, Supervisor] = {}
        self._folder = folder
        self._started = 0

    async def prepare(self) -> None:
        """Make the schema and the tables of effects; the second time lets the services at them."""
        await migrate(self.servers.database_url, self.schema)
        await self.reader.execute(TABLES.format(schema=self.schema))
        await migrate(self.servers.database_url, self.schema)

    async def start(self, **settings: object) -> str:
        """Start one more probe process and return its name once it is ready."""
        component = self.component(**settings)
        self._own[component.name] = Supervisor(
            backoff=QUICK_RESTARTS, ready_timeout_seconds=90, stop_timeout_seconds=STOP_SECONDS
        )
        await self._own[component.name].start([component])
        return component.name

    def component(self, **settings: object) -> ProbeComponent:
        """A probe that is not started yet; `settings` are those of the probe process."""
        self._started += 1
        name = f"{self.schema}-{self._started}"
        port = pick_free()
        values = {
            "service": self.schema,
            "database_url": self.servers.database_url,
            "kafka_bootstrap_servers": self.servers.bootstrap_servers,
            "kafka_empty_fetch_wait_max_ms": 50,
            "artifacts_url": (self._folder / "artifacts").as_uri(),
            "health_port": port,
            "lease_seconds": 3,
            "send_timeout_seconds": 10,
            "shutdown_timeout_seconds": 5,
            **settings,
        }
        environment = {f"ARCHON_{key.upper()}": str(value) for key, value in values.items()}
        log_path = self._folder / f"{name}.log"
        return ProbeComponent(name, port, log_path, environment, self._module)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a probe a signal; the supervisor starts a dead one again."""
        self._own[name].kill(name, number)

    def port(self, name: str) -> int:
        """Where a probe's health is asked."""
        return self._status(name).port

    def restarts(self, name: str) -> int:
        """How often a probe's process has ended."""
        return self._status(name).restarts

    def log_lines(self, name: str) -> int:
        """How many lines a probe has logged that are no plain facts of its work."""
        return count_fault_lines(self._folder / f"{name}.log")

    def logged(self, event: str) -> int:
        """How often the probes logged this."""
        return sum(path.read_text(errors="replace").count(event) for path in self._logs())

    def _logs(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self.schema}-*.log"))

    def pid(self, name: str) -> int | None:
        """The process id of a probe, while it lives."""
        return self._status(name).pid

    async def ready(self, name: str, *, but_not: int | None = None, timeout: float = 60) -> bool:
        """Wait until a probe is ready, in another process than `but_not`."""

        async def is_up() -> bool:
            status = self._status(name)
            return status.ready and status.pid not in (None, but_not)

        return await until(is_up, timeout=timeout)

    async def stop(self) -> None:
        """Stop all probes."""
        await asyncio.gather(*(supervisor.stop() for supervisor in self._own.values()))
        self._own.clear()
        self.reader.close()

    def _status(self, name: str) -> ProcessStatus:
        return self._own[name].status()[0]

    async def retire(self, name: str) -> None:
        """Stop one probe in good order; it is not started again."""
        await self._own.pop(name).stop()

    async def goes_on(self, load: CommandLoad, *, stall_seconds: float = 30) -> bool:
        """Whether a command that is sent now takes effect; False once nothing moves any more.

        What was sent before may be read first, and events are read by the same consumer.
        """
        event_id = await load.send_witness()
        return await self.takes_effect(event_id, stall_seconds=stall_seconds)

    async def takes_effect(self, event_id: UUID, *, stall_seconds: float = 30) -> bool:
        """Whether a command that was sent takes effect; False once nothing moves any more."""

        async def took_effect() -> bool:
            query = f"SELECT count(*) FROM {self.schema}.effects WHERE event_id = $1"
            return await self.reader.value(query, event_id) > 0

        return await until_still(took_effect, self._moved, stall_seconds=stall_seconds)

    async def read_effects(self) -> ProbeEffects:
        """Everything that took effect so far."""
        effects = await self.reader.fetch(
            f"SELECT step, event_id::text, key, number FROM {self.schema}.effects ORDER BY id"
        )
        return ProbeEffects(
            handled=[row for row in effects if row["step"] == "handled"],
            consumed=[row["event_id"] for row in effects if row["step"] == "consumed"],
            worked=[row["event_id"] for row in effects if row["step"] == "worked"],
            quarantined=await self.letter_headers("ce_id"),
        )

    async def count(self, step: str) -> int:
        """How many effects of this kind there are."""
        query = f"SELECT count(*) FROM {self.schema}.effects WHERE step = $1"
        return await self.reader.value(query, step)

    async def _moved(self) -> tuple[int, int]:
        """Effects of all kinds, and dead letters: behind the commands their events still wait."""
        effects = await self.reader.value(f"SELECT count(*) FROM {self.schema}.effects")
        return effects, await self.letters()

    async def letters(self) -> int:
        """How many dead letters there are."""
        query = f"SELECT count(*) FROM {self.schema}.outbox WHERE topic LIKE '%dead-letter%'"
        return await self.reader.value(query)

    async def letter_headers(self, name: str) -> list[str]:
        """One header of every dead letter; empty where there is none."""
        rows = await self.reader.fetch(
            f"SELECT headers::text FROM {self.schema}.outbox WHERE topic LIKE '%dead-letter%'"
        )
        headers = [HeaderView.of(decode_headers(orjson.loads(row["headers"]))) for row in rows]
        return [view.text(name) for view in headers]

    async def quiet(self) -> bool:
        """Whether nothing waits in the outbox."""
        query = f"SELECT count(*) FROM {self.schema}.outbox WHERE published_at IS NULL"
        return await self.reader.value(query) == 0


@asynccontextmanager
async def fleet(
    servers: Servers, folder: Path, schema: str = "probe", *, module: str = PROBE
) -> AsyncIterator[Fleet]:
    """Probes that are stopped at the end."""
    probes = Fleet(servers, folder, schema, module=module)
    await probes.prepare()
    try:
        yield probes
    finally:
        await probes.stop()
