"""A test's node of Apache Kafka starts cheaply, and is not left behind by a run that is killed."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.real_kafka import PROJECT, RealKafka, why_not

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


def test_a_node_runs_without_the_second_compiler(real_kafka: RealKafka) -> None:
    # Scripts that do not know a variable say nothing: the options had no effect for a while.
    assert real_kafka._process is not None
    words = psutil.Process(real_kafka._process.pid).cmdline()

    assert set(os.environ["KAFKA_OPTS"].split()) <= set(words)
