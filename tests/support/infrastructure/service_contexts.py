"""Foundations of a made-up service, `probe`, on the embedded parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.postgres.migrations import migrate
from shared.process.application import Application, Background
from shared.process.service_context import Foundation
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
async def open_foundation(settings: ServiceSettings) -> AsyncIterator[Foundation]:
    """A migrated and opened foundation that neither consumes nor relays."""
    await migrate(settings.database_url.get_secret_value(), settings.service)
    foundation = Foundation.build(settings)
    await foundation.database.open(timeout_seconds=5)
    try:
        yield foundation
    finally:
        await foundation.database.close()


@contextlib.asynccontextmanager
async def serving_application(
    foundation: Foundation, background: tuple[Background, ...] = ()
) -> AsyncIterator[Application]:
    """The whole application, consuming and relaying while the block runs."""
    application = Application(foundation, background=background)
    task = asyncio.create_task(application.serve())
    await eventually(lambda: foundation.health.started or task.done())
    try:
        yield application
    finally:
        application.stop()
        await task
