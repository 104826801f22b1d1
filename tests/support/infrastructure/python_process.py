"""A Python process of a test, which never outlives it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def python_process(
    *arguments: str, **options: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start an interpreter; it is killed when the block ends, also by a failed assertion.

    `options` are those of `asyncio.create_subprocess_exec`.
    """
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Not `wait`, which never returns while the process's output is unread and fills its pipe.
        await process.communicate()
