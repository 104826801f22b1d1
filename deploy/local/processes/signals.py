"""One way to stop: SIGTERM and SIGHUP end the command as Ctrl-C does."""

import signal
from types import FrameType


def stop_like_ctrl_c() -> None:
    """Turn SIGTERM and SIGHUP into SIGINT, which `asyncio.run` answers by cancelling its main task.

    So every `async with Runtime(...)` stops its processes in order, whichever signal came.
    A second signal raises KeyboardInterrupt at once; the kernel then ends the children.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
