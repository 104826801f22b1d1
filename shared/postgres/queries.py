"""Loads `sql/queries.sql`: each named query becomes a function."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters import asyncpg as adapter


class _OneConnection:
    """The connection of a query, where aiosql would look whether it is a pool.

    It lists every attribute of the connection for that, which costs more than building the query.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Any, driver: object = None) -> None:
        self._connection = connection

    async def __aenter__(self) -> Any:
        return self._connection

    async def __aexit__(self, *_: object) -> None: ...


adapter.MaybeAcquire = _OneConnection  # type: ignore[assignment,misc]

Queries = Any
"""aiosql builds the functions at run time; `store.py` gives them their types."""


# A dozen modules and stores of a service ask for the same two files; reading one takes 20 ms of a
# service's start, and what aiosql builds holds no state.
@cache
def load_queries(package: str) -> Queries:
    """Load the queries of a package's `sql/queries.sql`; `package` is its dotted name.

    Every caller gets the same functions.
    """
    return aiosql.from_path(Path(str(files(package))) / "sql" / "queries.sql", "asyncpg")
