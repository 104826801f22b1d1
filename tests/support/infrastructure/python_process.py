"""A process of a test, which never outlives it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any


def python_process(
    *arguments: str, **options: Any
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Start an interpreter, as `process_of` starts any program."""
    return process_of(sys.executable, *arguments, **options)


@asynccontextmanager
async def process_of(
    program: str, *arguments: str, **options: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a program; it is killed when the block ends, also by a failed assertion.

    `options` are those of `asyncio.create_subprocess_exec`.
    """
    process = await asyncio.create_subprocess_exec(program, *arguments, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Not `wait`, which never returns while the process's output is unread and fills its pipe.
        await process.communicate()
