"""One gateway per test module, on a database of its own and the broker of the whole run."""

import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from shared.kafka.topic_admin import ensure_topics
from tests.support.gateway.gateway import Serve, ServedGateway, served_gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    module_database_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedGateway]:
    """A served gateway that the module's tests share; use names of your own."""
    await ensure_topics(kafka)
    folder: Path = tmp_path_factory.mktemp("artifacts")
    async with served_gateway(module_database_url, kafka, folder) as served:
        yield served


@pytest_asyncio.fixture
async def serve(database_url: str, kafka: str, tmp_path: Path) -> Serve:
    """For tests whose gateway has settings of its own."""
    await ensure_topics(kafka)
    return partial(served_gateway, database_url, kafka, tmp_path)


@pytest.fixture
def name() -> str:
    """A name of the test's own, since the gateway is the module's."""
    return f"agent-{uuid.uuid4().hex[:12]}"
