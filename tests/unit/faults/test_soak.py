"""How the soak evaluates trainings, and which processes it counts as work."""

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
SERVICE = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {FORKER!r}])"


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
def service() -> Iterator[psutil.Process]:
    """A process with a child that has a child, as a service has the server that forks its work.

    Not this test's own process: below that, other tests' servers may live.
    """
    with subprocess.Popen([sys.executable, "-c", SERVICE]) as started:
        service = psutil.Process(started.pid)
        yield service
        for process in [*service.children(recursive=True), service]:
            process.kill()


async def test_only_what_the_forking_server_started_is_work(service: psutil.Process) -> None:
    await eventually(lambda: len(service.children(recursive=True)) == 2)

    assert kill_child_work(service.pid)
    await eventually(lambda: len(service.children(recursive=True)) == 1)
    assert not kill_child_work(service.pid)

    assert service.children()[0].is_running()
