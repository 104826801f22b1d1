"""The soak's judgement of trainings, and which processes it takes for work."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.faults.scenarios.soak import kill_child_work, wrong_trainings
from tests.support.eventually import eventually

FORKER = (
    "import subprocess, sys\n"
    "subprocess.run([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "import signal; signal.pause()"
)


@pytest.mark.parametrize(
    ("first", "retrains", "problems"),
    [
        ("completed", ["completed", "rejected"], []),
        ("failed", ["completed"], ["the first training ended failed"]),
        ("completed", [], ["no retrain was completed"]),
        ("completed", ["rejected"], ["no retrain was completed"]),
        ("completed", ["completed", "failed"], ["retrains ended {'failed': 1}"]),
        ("completed", ["completed", "training"], ["retrains ended {'training': 1}"]),
    ],
)
def test_trainings_end_as_they_should(first: str, retrains: list[str], problems: list[str]) -> None:
    assert wrong_trainings(first, retrains) == problems


def test_without_a_process_there_is_no_work_to_kill() -> None:
    assert not kill_child_work(None)
    assert not kill_child_work(2**22)


@pytest.fixture
def server() -> Iterator[psutil.Process]:
    """A child of ours that has a child, as the server has that forks work."""
    with subprocess.Popen([sys.executable, "-c", FORKER]) as forker:
        yield psutil.Process(forker.pid)
        forker.kill()


async def test_only_what_the_forking_server_started_is_work(server: psutil.Process) -> None:
    await eventually(lambda: len(server.children()) == 1)

    assert kill_child_work(os.getpid())
    await eventually(lambda: not server.children())
    assert not kill_child_work(os.getpid())

    assert server.is_running()
