"""How a command that was started in the background is stopped."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from deploy.local.processes.signals import stop_like_ctrl_c

async def main():
    print("started", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("stopped in order", flush=True)

stop_like_ctrl_c()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("ended", flush=True)
"""


def run_ignoring(ignored: signal.Signals, sent: signal.Signals) -> list[str]:
    """What a process says that was started with a signal ignored, once another one is sent."""
    kept = signal.signal(ignored, signal.SIG_IGN)  # a child inherits what is ignored
    try:
        child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(ignored, kept)
    with child:
        try:
            assert child.stdout is not None
            lines = [child.stdout.readline().strip()]
            child.send_signal(sent)
            if sent is ignored:
                child.terminate()
            return lines + child.communicate(timeout=20)[0].split("\n")[:-1]
        finally:
            # The end of the block waits for the child, which a lost signal leaves running.
            child.kill()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_background_job_of_a_script_stops_in_order(sent: signal.Signals) -> None:
    ignored = signal.SIGINT if sent is not signal.SIGINT else signal.SIGUSR1

    assert run_ignoring(ignored, sent) == ["started", "stopped in order", "ended"]


def test_the_end_of_the_terminal_stays_ignored_under_nohup() -> None:
    # SIGHUP first, which changes nothing, then SIGTERM, which stops it.
    assert run_ignoring(signal.SIGHUP, signal.SIGHUP) == ["started", "stopped in order", "ended"]
