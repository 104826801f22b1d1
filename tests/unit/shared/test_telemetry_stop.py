"""A collector that does not answer keeps no process from its end."""

import asyncio
import subprocess
import sys
import threading
from typing import cast

from opentelemetry.sdk.trace import TracerProvider

from shared.telemetry.setup import shut_down_telemetry

ENDS_BESIDE_A_SILENT_COLLECTOR = """
import asyncio, threading
from shared.telemetry.setup import shut_down_telemetry

class Provider:
    def shutdown(self):
        threading.Event().wait()

asyncio.run(shut_down_telemetry(Provider(), 0.1))
"""


class Provider:
    """Its collector answers once the event is set."""

    def __init__(self) -> None:
        self.answer, self.exported = threading.Event(), False

    def shutdown(self) -> None:
        self.answer.wait(10)
        self.exported = True


async def test_what_is_left_is_exported_when_the_collector_answers() -> None:
    provider = Provider()
    provider.answer.set()
    await shut_down_telemetry(cast("TracerProvider", provider), 10)
    assert provider.exported


async def test_a_silent_collector_is_waited_for_no_longer_than_said() -> None:
    provider = Provider()
    await shut_down_telemetry(cast("TracerProvider", provider), 0.05)
    assert not provider.exported
    provider.answer.set()
    await asyncio.to_thread(_let_it_end)
    assert provider.exported


def test_a_process_ends_while_the_collector_is_silent() -> None:
    program = [sys.executable, "-c", ENDS_BESIDE_A_SILENT_COLLECTOR]
    assert subprocess.run(program, timeout=60, check=False).returncode == 0


def _let_it_end() -> None:
    for thread in threading.enumerate():
        if thread.name == "last telemetry":
            thread.join(10)
