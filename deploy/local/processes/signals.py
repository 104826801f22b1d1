"""One way to stop: SIGTERM and SIGHUP end the command as Ctrl-C does."""

import signal
from types import FrameType


def stop_like_ctrl_c() -> None:
    """Turn SIGTERM and SIGHUP into SIGINT, which `asyncio.run` answers by cancelling its main task.

    So every `async with Runtime(...)` stops its processes in order, whichever signal came.
    A second signal raises KeyboardInterrupt at once; the kernel then ends the children.
    """
    # A shell starts a script's background jobs with SIGINT ignored, and Python leaves it so: what
    # is turned into it would be ignored too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    # `nohup` asks for the end of the terminal to be ignored.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
