"""A coordinator on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.coordinator.coordinator import World, coordinator_world


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The coordinator's parts, without a broker."""
    async with coordinator_world(database_url, tmp_path) as built:
        yield built
