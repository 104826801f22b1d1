"""The local system with one small service: up, watched, alone, and gone without a rest."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager

import asyncpg
import psutil
import pytest
import pytest_asyncio

from deploy.local import record
from deploy.local.errors import AlreadyRunningError
from deploy.local.runtime import Runtime
from deploy.local.servers.service_process import PROJECT_ROOT
from deploy.local.settings import LocalSettings
from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.script_component import has_ended

# The system of one service is shared, and so is the loop that watches it.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

COMPONENTS = ["postgres", "broker", "curriculum"]
# What `archon up` does, without the terminal.
UP = """
import asyncio, pathlib, sys
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from deploy.local.processes.signals import stop_like_ctrl_c

async def main():
    settings = LocalSettings(data_dir=pathlib.Path(sys.argv[1]), services=())
    async with Runtime(settings):
        print("up", flush=True)
        await asyncio.Event().wait()

stop_like_ctrl_c()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A system of one service, in a directory of its own."""
    return LocalSettings(data_dir=tmp_path_factory.mktemp("var"), services=("curriculum",))


@pytest.fixture(scope="module")
def stopped_dir(tmp_path_factory):
    """The data of a system that nobody runs when a test begins: a new cluster takes a second."""
    return tmp_path_factory.mktemp("stopped")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runtime(settings):
    """That system, running."""
    async with Runtime(settings) as running:
        yield running


async def test_everything_is_ready_once_it_is_entered(runtime):
    status = runtime.status()

    assert [each.name for each in status if each.ready] == COMPONENTS
    assert all(each.rss_mb > 1 for each in status)


async def test_other_processes_see_what_runs(runtime, settings):
    seen = record.running(settings.data_dir)

    assert seen.endpoints == runtime.endpoints
    assert [each.name for each in seen.processes] == COMPONENTS
    assert all(each.ready for each in seen.processes)


@pytest.mark.parametrize("victim", COMPONENTS)
async def test_whatever_is_killed_comes_back_and_is_counted(runtime, victim):
    before = restarts(runtime)[victim]

    runtime.kill(victim)

    await eventually(lambda: restarts(runtime)[victim] == before + 1)
    await eventually(lambda: all(each.ready for each in runtime.status()), timeout=50)


async def test_a_second_runtime_in_the_same_directory_is_refused(runtime, settings):
    with pytest.raises(AlreadyRunningError):
        await Runtime(settings).__aenter__()

    assert all(each.ready for each in runtime.status())


async def test_nothing_runs_after_it_is_left_and_the_next_run_has_its_data_ports_and_key(tmp_path):
    settings = LocalSettings(data_dir=tmp_path, services=())
    async with Runtime(settings) as runtime:
        before = (runtime.endpoints, runtime.api_key)
        await execute(runtime, "CREATE TABLE kept AS SELECT 7 AS n")
        processes = [psutil.Process(each.pid) for each in runtime.status()]

    assert all(has_ended(process) for process in processes)
    assert record.running(tmp_path) is None
    async with Runtime(settings) as runtime:
        assert (runtime.endpoints, runtime.api_key) == before
        assert await execute(runtime, "SELECT n FROM kept") == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_stop_signal_ends_everything_in_order(stopped_dir, number):
    log = stopped_dir / "log" / "postgres.log"
    before = shutdowns(log)
    async with started(stopped_dir) as (up, components):
        up.send_signal(number)

        assert await up.wait() == 130
    assert all(has_ended(component) for component in components)
    assert json.loads((stopped_dir / "runtime.json").read_text())["pid"] is None
    assert shutdowns(log) == before + 1


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone signals orphaned children")
async def test_a_killed_runtime_leaves_no_process_and_can_be_started_again(stopped_dir):
    async with started(stopped_dir) as (up, components):
        up.kill()
        await up.wait()

    await eventually(lambda: all(has_ended(component) for component in components))
    async with Runtime(LocalSettings(data_dir=stopped_dir, services=())) as runtime:
        assert all(each.ready for each in runtime.status())


def shutdowns(log):
    return log.read_text().count("database system is shut down") if log.exists() else 0


@asynccontextmanager
async def started(directory):
    """A runtime in a process of its own, and its components."""
    command = ("-c", UP, str(directory))
    async with python_process(*command, stdout=asyncio.subprocess.PIPE, cwd=PROJECT_ROOT) as up:
        # Other lines are log lines; an empty one is the end of a process that could not start.
        while (line := await up.stdout.readline()) != b"up\n":
            assert line
        yield up, psutil.Process(up.pid).children(recursive=True)


def restarts(runtime):
    return {each.name: each.restarts for each in runtime.status()}


async def execute(runtime, statement):
    connection = await asyncpg.connect(runtime.endpoints.database_url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
