"""SQL lives in `sql/queries.sql`; this loads it, each query a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiosql

Queries = Any
"""aiosql builds the functions at run time; `store.py` gives them their types."""


def load_queries(package_dir: Path) -> Queries:
    """The queries of a package's `sql/queries.sql`."""
    return aiosql.from_path(package_dir / "sql" / "queries.sql", "asyncpg")
