"""Every test of a store runs in memory and on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.coordinator.stores import Stores, open_stores


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """A database's address; None: in memory."""
    found: str | None = None
    if request.param == "postgres":
        found = request.getfixturevalue("database_url")
    return found


@pytest.fixture
async def stores(url: str | None, tmp_path: Path) -> AsyncIterator[Stores]:
    """Each kind in turn, with one agent configured."""
    async with open_stores(url, tmp_path) as made:
        yield made
