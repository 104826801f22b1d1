"""One gateway per test module, on a database of its own and the broker of the whole run."""

import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.servers.postgres import EmbeddedPostgres
from shared.kafka.topic_admin import ensure_topics
from tests.plugins.embedded import copy_statement
from tests.support.gateway.gateway import Serve, ServedGateway, served_gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    postgres: EmbeddedPostgres,
    migrated_template: str,
    kafka: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServedGateway]:
    """A served gateway that the module's tests share; use names of your own."""
    name = f"gateway_{uuid.uuid4().hex}"
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    await _execute(postgres.url, copy_statement(name, migrated_template))
    await ensure_topics(kafka)
    folder: Path = tmp_path_factory.mktemp("artifacts")
    async with served_gateway(url, kafka, folder) as served:
        yield served
    await _execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def serve(database_url: str, kafka: str, tmp_path: Path) -> Serve:
    """For tests whose gateway has settings of its own."""
    await ensure_topics(kafka)
    return partial(served_gateway, database_url, kafka, tmp_path)


@pytest.fixture
def name() -> str:
    """A name of the test's own, since the gateway is the module's."""
    return f"agent-{uuid.uuid4().hex[:12]}"


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
