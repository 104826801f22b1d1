"""Service contexts of a made-up service, `probe`, on the embedded parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.postgres.migrations import migrate
from shared.process.application import Application
from shared.process.ports import Background
from shared.process.service_context import ServiceContext
from shared.settings import ServiceSettings
from tests.support.eventually import eventually


def probe_settings(
    database_url: str, kafka: str = "127.0.0.1:1", **fields: object
) -> ServiceSettings:
    """Settings of the service `probe`; nothing comes from the environment."""
    values = {
        "service": "probe",
        "database_url": database_url,
        "kafka_bootstrap_servers": kafka,
        "artifacts_url": "file:///nonexistent",
        "health_port": 0,
        "kafka_empty_fetch_wait_max_ms": 20,
        "shutdown_timeout_seconds": 2.0,
        "lease_seconds": 2.0,
    }
    return ServiceSettings(**(values | fields))


@contextlib.asynccontextmanager
async def open_service_context(settings: ServiceSettings) -> AsyncIterator[ServiceContext]:
    """A migrated and opened service_context that neither consumes nor relays."""
    await migrate(settings.database_url.get_secret_value(), settings.service)
    service_context = ServiceContext.build(settings)
    await service_context.database.open(timeout_seconds=5)
    try:
        yield service_context
    finally:
        await service_context.database.close()


@contextlib.asynccontextmanager
async def serving_application(
    service_context: ServiceContext, background: tuple[Background, ...] = ()
) -> AsyncIterator[Application]:
    """The whole application, consuming and relaying while the block runs."""
    application = Application(service_context, background=background)
    task = asyncio.create_task(application.serve())
    await eventually(lambda: service_context.health.started or task.done())
    try:
        yield application
    finally:
        application.stop()
        await task
