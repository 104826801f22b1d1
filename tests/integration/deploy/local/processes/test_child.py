"""A child never outlives the process that started it, even when that is killed."""

import asyncio
import sys

import psutil
import pytest

from deploy.local.servers.service_process import PROJECT_ROOT
from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.script_component import has_ended

# A supervisor that starts one child, says its number, and waits.
SUPERVISOR = """
import asyncio, pathlib, signal, sys
from deploy.local.processes.child import Child, Program

async def main():
    argv = (sys.executable, "-I", "-S", "-c", "import signal; signal.pause()")
    program = Program(argv=argv, log_path=pathlib.Path(sys.argv[1]), death_signal=signal.SIGTERM)
    print((await Child.spawn(program)).pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone signals orphaned children")
async def test_a_child_ends_when_its_supervisor_is_killed(tmp_path):
    command = ("-c", SUPERVISOR, str(tmp_path / "log"))
    started = python_process(*command, stdout=asyncio.subprocess.PIPE, cwd=PROJECT_ROOT)
    async with started as supervisor:
        child = psutil.Process(int(await supervisor.stdout.readline()))

        supervisor.kill()
        await supervisor.communicate()

    await eventually(lambda: has_ended(child))
