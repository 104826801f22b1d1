"""Loads `sql/queries.sql`: each named query becomes a function."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import aiosql

Queries = Any
"""aiosql builds the functions at run time; `store.py` gives them their types."""


def load_queries(package: str) -> Queries:
    """Load the queries of a package's `sql/queries.sql`; `package` is its dotted name."""
    return aiosql.from_path(Path(str(files(package))) / "sql" / "queries.sql", "asyncpg")
