"""The fork server of a test process: each module that asks for one gets its own."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import forkserver

import pytest


@pytest.fixture(scope="module", autouse=True)
def _own_fork_server() -> Iterator[None]:
    """End the server after a module, so that the next one's imports what that module names.

    There is one a process, and what it imports is settled when it starts. After a module of
    made-up work, every child of the trainings' tests imported torch and trl itself: 46 s for three
    trainings in place of 8.
    """
    yield
    # Without a public name; the standard library's own tests end it so.
    server = forkserver._forkserver  # type: ignore[attr-defined]
    if server._forkserver_pid is not None:
        # It would take its time to unload torch, and has nothing to save.
        os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()
