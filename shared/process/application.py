"""One service process: start in order, run until a signal or a death, stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import uvloop
from aiokafka.errors import KafkaError
from opentelemetry import metrics
from pydantic import ValidationError
from pydantic_settings import SettingsError

from archon_contracts import telemetry
from shared.artifacts.store import ArtifactStore
from shared.errors import (
    ArchonError,
    ArtifactStoreRefused,
    ArtifactStoreUnavailable,
    DatabaseUnavailable,
    StartupFailed,
)
from shared.kafka.healing import ConsumerSupervisor
from shared.kafka.producer import HealingProducer, producer_factory
from shared.kafka.refusals import principal_of
from shared.kafka.relay import Relay
from shared.kafka.security import client_arguments, explain_refusal
from shared.kafka.watchdog import EventLoopWatchdog
from shared.logging import configure_logging, get_logger, restore_library_log_levels
from shared.messaging.messages import describe_validation_error
from shared.postgres.database import Database
from shared.postgres.migrations import list_pending
from shared.postgres.queries import load_queries
from shared.process.listeners import Listener, serve_listeners
from shared.process.periodic import Periodic
from shared.process.ports import Background
from shared.process.service_context import ServiceContext
from shared.settings import ServiceSettings
from shared.telemetry.counters import begin_counters
from shared.telemetry.setup import configure_telemetry, shut_down_telemetry

log = get_logger(__name__)
age_gauge = metrics.get_meter(__name__).create_gauge(telemetry.METRIC_OUTBOX_AGE, unit="s")
_queries = load_queries("shared")

# A record may wait for as long as its topic keeps it, then as a dead letter, and once more as a
# replay: all that while the row of its first reading must stay. A test adds it up.
INBOX_RETENTION_DAYS = 180
OUTBOX_RETENTION_HOURS = 24
OUTBOX_AGE_EVERY_SECONDS = 15.0
MEASURED_ROWS = 10_000
"""Of the rows that wait, by their index: a look costs the same however many there are."""
TELEMETRY_RETENTION_DAYS = 14
STOP_GRACE_SECONDS = 4.0
"""What a stop may take besides the handlers' time: `shutdown_timeout_seconds` and this together
are the whole of it, less than any supervisor waits before it kills."""
# Two codes: a failed start needs somebody to change something, a death another start.
EXIT_START_FAILED = 2
EXIT_DIED = 1

S = TypeVar("S", bound=ServiceSettings)


class Application:
    """A built service. `serve` returns at a stop signal, and raises when a part of it died."""

    def __init__(
        self,
        service_context: ServiceContext,
        *,
        background: Sequence[Background] = (),
        listeners: Sequence[Listener] = (),
        on_start: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self.service_context = service_context
        self._upkeep = [_housekeeping(service_context), _outbox_watch(service_context)]
        self._background = list(background)
        for part in (*self._upkeep, *background):
            if isinstance(part, Periodic):
                service_context.health.add_warning(part.name, partial(getattr, part, "problem"))
        self._on_start = on_start
        settings = service_context.settings
        health = Listener(
            service_context.health, settings.health_host, settings.health_port, "ARCHON_HEALTH_PORT"
        )
        self._listeners = [health, *listeners]
        self._stop = asyncio.Event()
        self._stop_deadline: float | None = None

    async def serve(self) -> None:
        """Run the service.

        Raises:
            StartupFailed: a dependency is not there in time.
            ExceptionGroup: a background part died.
        """
        shared = self.service_context
        configure_logging(
            shared.settings.service, shared.settings.log_level, shared.telemetry.add_log
        )
        provider = configure_telemetry(
            shared.settings.service,
            shared.telemetry,
            shared.settings.otlp_endpoint,
            shared.settings.kafka_namespace,
        )
        begin_counters()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            async with (
                EventLoopWatchdog(),
                serve_listeners(self._listeners, self._remaining_seconds),
            ):
                await self._run_until_stopped()
        finally:
            await shut_down_telemetry(provider, self._remaining_seconds())
            await shared.database.close(timeout_seconds=self._remaining_seconds())

    def stop(self) -> None:
        """Ask `serve` to end."""
        self._stop.set()

    async def _run_until_stopped(self) -> None:
        shared = self.service_context
        settings = shared.settings
        await shared.database.open(timeout_seconds=settings.start_timeout_seconds)
        await _await_schema(settings)
        await _require_tenant_policies(shared.database)
        await _require_artifacts(shared.artifacts, settings.start_timeout_seconds)
        producer = HealingProducer(
            "relay",
            producer_factory(settings, f"archon.{settings.service}.relay", max_batch_size=131_072),
            shared.broker.states,
        )
        async with _connected(producer, settings, self._remaining_seconds):
            relay = Relay(settings, producer, shared.outbox, shared.notifier.add_waiter())
            # Before the first record is read: handlers use what the hooks load.
            for hook in self._on_start:
                await hook()
            await shared.broker.start()
            self._add_health_checks()
            shared.health.started = True
            restore_library_log_levels()
            log.info("service_started")
            supervisor = ConsumerSupervisor(
                lambda: shared.broker.supervised_consumers,
                shared.broker.is_reachable,
                shared.broker.states,
                principal_of(settings),
            )
            await self._run_all([relay, shared.telemetry, shared.health, supervisor, *self._upkeep])
        log.info("service_stopped")
        # After the last line of the log, which is stored by it too.
        await self._flush()

    def _remaining_seconds(self, at_most: float = 5.0) -> float:
        """Seconds that a step of the stop may take, of what is left of the whole."""
        if self._stop_deadline is None:
            return at_most
        return max(0.1, min(at_most, self._stop_deadline - asyncio.get_running_loop().time()))

    async def _flush(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._remaining_seconds()):
                await self.service_context.telemetry.flush()

    async def _run_all(self, own: Sequence[Background]) -> None:
        """Run until a stop signal or a death; then stop consuming, and hand work back beside it."""
        ours, theirs = (
            {asyncio.create_task(part.run(), name=part.name) for part in parts}
            for parts in (own, self._background)
        )
        stopping = asyncio.create_task(self._stop.wait(), name="stop signal")
        done, _ = await asyncio.wait(
            {*ours, *theirs, stopping}, return_when=asyncio.FIRST_COMPLETED
        )
        # Not ready from now on: a load balancer sends nothing new while the work under way ends.
        self.service_context.health.started = False
        handlers = self.service_context.settings.shutdown_timeout_seconds
        self._stop_deadline = asyncio.get_running_loop().time() + handlers + STOP_GRACE_SECONDS
        for task in theirs:
            task.cancel()
        closing = asyncio.create_task(self.service_context.broker.stop(), name="stop of the broker")
        await asyncio.wait(
            {closing, *theirs}, timeout=self._remaining_seconds(handlers + STOP_GRACE_SECONDS)
        )
        stopping.cancel()
        # Last: the relay still sends what handlers committed while they finished.
        for task in ours:
            task.cancel()
        await asyncio.wait({*ours, stopping}, timeout=self._remaining_seconds())
        deaths = [task for task in done if task is not stopping]
        if deaths:
            names = ", ".join(task.get_name() for task in deaths)
            errors = [e for task in deaths if isinstance(e := task.exception(), Exception)]
            log.error("service_part_died", part=names, reason="; ".join(map(str, errors)))
            await self._flush()
            raise ExceptionGroup(f"{names} died", errors or [RuntimeError(f"{names} returned")])

    def _add_health_checks(self) -> None:
        shared = self.service_context

        async def outbox() -> str:
            try:
                async with shared.database.connection() as connection:
                    age: float = await _queries.oldest_unpublished_seconds(connection)
            except DatabaseUnavailable as error:
                return str(error)
            return f"the oldest message waits for {age:.0f} s" if age > 60 else ""

        async def consumers() -> str:
            idle = [c for c in shared.broker.consumers if not c.assignment()]
            return f"{len(idle)} consumers have no partitions" if idle else ""

        async def kafka() -> str:
            return shared.broker.states.summary()

        shared.health.add("outbox", outbox)
        shared.health.add("kafka", kafka)
        shared.health.add("consumers", consumers)


async def _await_schema(settings: ServiceSettings) -> None:
    deadline = asyncio.get_running_loop().time() + settings.start_timeout_seconds
    dsn = settings.database_url.get_secret_value()
    while missing := await list_pending(dsn, settings.service, role=settings.database_role):
        if asyncio.get_running_loop().time() > deadline:
            raise StartupFailed(
                f"schema {settings.service} lacks {', '.join(missing)}; run `archon setup`"
            )
        await asyncio.sleep(0.1)


async def _require_tenant_policies(database: Database) -> None:
    """Refuse to serve while one tenant's rows could be shown to another.

    Raises:
        StartupFailed: the role is not bound by the tables' policies, or may not read them.
    """
    async with database.connection() as connection:
        rows = _queries.unprotected_tables(connection, schema=database.schema)
        names = [row["name"] async for row in rows]
    if names:
        raise StartupFailed(
            f"{', '.join(names)}: no policy keeps tenants apart for the role "
            f"{database.role or 'of the login'}; run `archon setup`, and let ARCHON_DATABASE_ROLE "
            "name a role that owns no table and is no superuser"
        )


async def _require_artifacts(artifacts: ArtifactStore, timeout_seconds: float) -> None:
    """Wait for the artifact store, and ask for what services need of it.

    Raises:
        StartupFailed: it does not answer in time, or refuses to write, read or delete.
    """
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                return await artifacts.check_access()
        except ArtifactStoreRefused as error:
            raise StartupFailed(str(error)) from error
        except (ArtifactStoreUnavailable, TimeoutError) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise StartupFailed(
                    f"{str(error) or 'the artifact store gives no answer in time'}; check "
                    "ARCHON_ARTIFACTS_URL and AWS_ENDPOINT_URL, and that the store runs"
                ) from error
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def _connected(
    producer: HealingProducer, settings: ServiceSettings, stop_seconds: Callable[[], float]
) -> AsyncIterator[None]:
    """Connect, trying again until the start's time is over; close at the end.

    Raises:
        StartupFailed: Kafka does not answer in time, or does not let us in.
    """
    try:
        await _connect(producer, settings)
        yield
    finally:
        await producer.close(timeout_seconds=stop_seconds())


async def _connect(producer: HealingProducer, settings: ServiceSettings) -> None:
    deadline = asyncio.get_running_loop().time() + settings.start_timeout_seconds
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                await producer.connected()
            return
        except (KafkaError, OSError) as error:
            over = asyncio.get_running_loop().time() >= deadline
            if refusal := await explain_refusal(client_arguments(settings), final=over):
                raise StartupFailed(refusal) from error
            if over:
                raise StartupFailed(
                    f"Kafka at {settings.kafka_bootstrap_servers} does not answer "
                    f"({str(error) or 'no answer in time'}); "
                    "check ARCHON_KAFKA_BOOTSTRAP_SERVERS, ARCHON_KAFKA_SECURITY_PROTOCOL and that "
                    "the broker runs"
                ) from error
            await asyncio.sleep(0.2)


def _housekeeping(shared: ServiceContext) -> Periodic:
    async def prune() -> None:
        async with shared.database.across_tenants() as tx:
            await _queries.prune_inbox(tx, retention_days=INBOX_RETENTION_DAYS)
            await _queries.prune_outbox(tx, retention_hours=OUTBOX_RETENTION_HOURS)
            await _queries.prune_telemetry(tx, retention_days=TELEMETRY_RETENTION_DAYS)

    return Periodic("housekeeping", 3600.0, prune)


def _outbox_watch(shared: ServiceContext) -> Periodic:
    async def measure() -> None:
        async with shared.database.connection() as connection:
            age_gauge.set(await _queries.oldest_waiting_seconds(connection, limit=MEASURED_ROWS))

    return Periodic("outbox-age", OUTBOX_AGE_EVERY_SECONDS, measure)


def run(settings_type: type[S], build_app: Callable[[S], Application]) -> None:
    """The whole of a service's `__main__`: settings, build, serve, exit code.

    A start that fails prints one sentence and exits with 2; a part that died exits with 1, so
    that the supervisor starts the process again.
    """
    try:
        settings = settings_type()
        uvloop.run(_serve(settings, build_app))
    except ValidationError as error:
        _exit(
            EXIT_START_FAILED,
            f"settings: {describe_validation_error(error)} (environment, prefix ARCHON_)",
        )
    except SettingsError as error:
        _exit(EXIT_START_FAILED, f"settings: {error}; lists are JSON (environment, prefix ARCHON_)")
    except ArchonError as error:
        _exit(EXIT_START_FAILED, str(error))
    except ExceptionGroup as group:
        _exit(EXIT_DIED, f"{group.message}: {'; '.join(str(e) for e in group.exceptions)}")


async def _serve(settings: S, build_app: Callable[[S], Application]) -> None:
    await build_app(settings).serve()


def _exit(code: int, sentence: str) -> None:
    sys.stderr.write(f"archon: {sentence}\n")
    raise SystemExit(code)
