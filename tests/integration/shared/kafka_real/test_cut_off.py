"""A run of tests that is killed leaves no node of Apache Kafka behind."""

import asyncio
from pathlib import Path

import psutil
import pytest

from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.real_kafka import PROJECT, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no Apache Kafka here: {why_not()}")
SCRIPT = """
import pathlib, sys, time
from tests.support.infrastructure.real_kafka import RealKafka
node = RealKafka(pathlib.Path(sys.argv[1]))
node.start()
print(node._process.pid, flush=True)
time.sleep(60)
"""


async def test_a_node_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    started = python_process(
        "-c", SCRIPT, str(tmp_path), cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    async with started as process, asyncio.timeout(50):
        assert process.stdout is not None
        node = psutil.Process(int(await process.stdout.readline()))
        process.kill()
        await eventually(lambda: not node.is_running(), timeout=20)
