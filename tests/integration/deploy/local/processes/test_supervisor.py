"""Supervision of real processes: watched, started again, stopped in order, never left behind."""

import asyncio
import signal

import psutil
import pytest

from deploy.local.errors import StartError, UnusableChoiceError
from deploy.local.processes.backoff import Backoff
from deploy.local.processes.status import ProcessState
from deploy.local.processes.supervisor import Supervisor
from tests.support.eventually import eventually
from tests.support.infrastructure.script_component import ScriptComponent, has_ended

OBEDIENT = "print('ready'); import signal; signal.pause()"
ORDERLY = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
    "print('ready'); signal.pause()"
)
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready')\n"
    "while True: signal.pause()"
)
FAILING = "import sys; sys.exit('no database here')"
PARENT = (
    "import signal, subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "print('ready', child.pid); signal.pause()"
)


@pytest.fixture
async def supervisor():
    """A supervisor that waits little; whatever the test started is stopped."""
    own = Supervisor(
        ready_timeout_seconds=20, stop_timeout_seconds=1, backoff=Backoff(first_seconds=0.01)
    )
    yield own
    await own.stop()


async def test_a_started_part_is_ready(supervisor, tmp_path):
    await supervisor.start([ScriptComponent("one", tmp_path, OBEDIENT)])

    (status,) = supervisor.status()
    assert status.ready
    assert psutil.pid_exists(status.pid)


async def test_a_part_that_is_killed_is_started_again_and_counted(supervisor, tmp_path):
    await supervisor.start([ScriptComponent("one", tmp_path, OBEDIENT)])
    first = supervisor.status()[0].pid

    supervisor.kill("one")

    await eventually(lambda: supervisor.status()[0].restarts == 1)
    await eventually(lambda: supervisor.status()[0].ready)
    assert supervisor.status()[0].pid != first


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (OBEDIENT, -signal.SIGTERM),
        (ORDERLY, 0),
    ],
    ids=["dies of it", "ends by itself"],
)
async def test_the_status_shows_how_the_previous_process_ended(supervisor, tmp_path, script, code):
    await supervisor.start([ScriptComponent("one", tmp_path, script)])
    assert supervisor.status()[0].exit_code is None

    supervisor.kill("one", signal.SIGTERM)

    await eventually(lambda: supervisor.status()[0].restarts == 1)
    assert supervisor.status()[0].exit_code == code


async def test_a_part_that_keeps_dying_is_reported_with_the_end_of_its_log(supervisor, tmp_path):
    with pytest.raises(StartError, match=r"one ended with 1; its log .* no database here"):
        await supervisor.start([ScriptComponent("one", tmp_path, FAILING)])


async def test_a_part_that_cannot_run_as_chosen_is_tried_once_and_says_why(supervisor, tmp_path):
    component = UnusableComponent("one", tmp_path, OBEDIENT)

    with pytest.raises(UnusableChoiceError, match="choose another folder"):
        await supervisor.start([component])

    assert component.launches == 1
    assert supervisor.status()[0].restarts == 0


class UnusableComponent(ScriptComponent):
    """A component whose data belongs to somebody else."""

    launches = 0

    async def launch(self):
        """Refuse."""
        self.launches += 1
        raise UnusableChoiceError("choose another folder")


async def test_a_part_that_never_becomes_ready_is_reported(tmp_path):
    supervisor = Supervisor(ready_timeout_seconds=0.5, stop_timeout_seconds=1)

    with pytest.raises(StartError, match="one was not ready after"):
        await supervisor.start([ScriptComponent("one", tmp_path, "import signal; signal.pause()")])
    await supervisor.stop()


async def test_later_stages_are_stopped_first(supervisor, tmp_path):
    stops = tmp_path / "stops"
    script = (
        "import pathlib, signal, sys\n"
        f"say = lambda *_: (pathlib.Path({str(stops)!r}).open('a').write(NAME), sys.exit())\n"
        "signal.signal(signal.SIGTERM, say); print('ready'); signal.pause()"
    )
    for name in ("a", "b"):
        await supervisor.start([ScriptComponent(name, tmp_path, f"NAME = {name!r}\n{script}")])

    await supervisor.stop()

    assert stops.read_text() == "ba"


async def test_a_part_that_ignores_the_request_is_killed_after_the_deadline(supervisor, tmp_path):
    await supervisor.start([ScriptComponent("one", tmp_path, STUBBORN)])
    process = psutil.Process(supervisor.status()[0].pid)

    await supervisor.stop()

    assert not process.is_running()


async def test_children_of_a_killed_part_are_killed_too(supervisor, tmp_path):
    await supervisor.start([ScriptComponent("one", tmp_path, PARENT)])
    child = psutil.Process(int((tmp_path / "one.log").read_text().split()[1]))

    supervisor.kill("one")

    await eventually(lambda: has_ended(child))


async def test_a_stopped_part_is_not_started_again(supervisor, tmp_path):
    component = ScriptComponent("one", tmp_path, OBEDIENT)
    await supervisor.start([component])
    process = psutil.Process(supervisor.status()[0].pid)

    await supervisor.stop()

    assert supervisor.status() == []
    assert not process.is_running()


async def test_a_part_that_dies_while_others_run_shows_that_it_waits(tmp_path):
    supervisor = Supervisor(stop_timeout_seconds=1, backoff=Backoff(first_seconds=60.0))
    await supervisor.start([ScriptComponent("one", tmp_path, OBEDIENT)])

    supervisor.kill("one", signal.SIGTERM)

    await eventually(lambda: supervisor.status()[0].state is ProcessState.WAITING_TO_RESTART)
    assert supervisor.status()[0].pid is None
    await supervisor.stop()


async def test_a_stop_during_the_start_leaves_nothing(supervisor, tmp_path):
    starting = asyncio.create_task(
        supervisor.start([ScriptComponent("one", tmp_path, "import signal; signal.pause()")])
    )
    await eventually(lambda: supervisor.status() and supervisor.status()[0].pid)
    process = psutil.Process(supervisor.status()[0].pid)
    starting.cancel()
    await asyncio.wait({starting})

    await supervisor.stop()

    assert not process.is_running()
