"""Parts of lists whose rows can be long."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import orjson

MAX_LIST_BYTES: Final = 1_000_000
"""Of the profiles or evaluations in one answer: all requests wait while it is written as JSON."""

Row = Mapping[str, Any]


async def read_part(rows: AsyncGenerator[Row, None], column: str) -> tuple[list[Row], bool]:
    """Rows up to one with which `column` exceeds the bound, and whether that is the last.

    The first row is always there, so that pages go on.
    """
    found: list[Row] = []
    size = 0
    async with aclosing(rows) as open_rows:
        async for row in open_rows:
            size += len(orjson.dumps(row[column]))
            found.append(row)
            if size > MAX_LIST_BYTES and len(found) > 1:
                return found, True
    return found, False
