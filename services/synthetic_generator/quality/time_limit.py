"""A time limit for work on one text: an item at fault costs itself, and not its request."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from services.synthetic_generator.errors import TextTooSlow


@contextmanager
def limit_seconds(seconds: float) -> Iterator[None]:
    """End the block with `TextTooSlow` after so long.

    A regular expression looks at signals while it searches, so a search is ended too. In another
    than the main thread nothing can be interrupted, and the block is not limited: in a child
    process it always is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TextTooSlow(f"a text took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    # Whoever has set the timer gets the rest of its time back, such as a test runner.
    rest, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, rest, interval)
        signal.signal(signal.SIGALRM, before)
