"""At most a few lines per half minute of a library that logs every try of an outage."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Final

INTERVAL_SECONDS: Final = 30.0
LINES_PER_INTERVAL: Final = 2
"""Ten lines a minute of a process are to be enough, and its own connections report, too."""
LIBRARIES: Final = ("aiokafka", "archon.faststream")

_Kind = tuple[str, object]


class RepeatFilter(logging.Filter):
    """Passes the first lines of an interval, each kind once; counts the others.

    The next line that passes says how many were left out since, by kind. A kind is a logger and
    its unformatted message. Tracebacks are cut to their last line: in an outage each repeats the
    same hundred lines.
    """

    def __init__(self) -> None:
        super().__init__()
        self._interval_end = 0.0
        self._passed: set[_Kind] = set()
        self._left_out: Counter[_Kind] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        now = time.monotonic()
        is_new_interval = now >= self._interval_end
        if is_new_interval:
            self._interval_end = now + INTERVAL_SECONDS
            self._passed.clear()
        kind = record.name, record.msg
        if kind in self._passed or len(self._passed) >= LINES_PER_INTERVAL:
            self._left_out[kind] += 1
            return False
        self._passed.add(kind)
        _shorten(record, self._summary() if is_new_interval else "")
        return True

    def _summary(self) -> str:
        total = self._left_out.total()
        if not total:
            return ""
        (name, message), most = self._left_out.most_common(1)[0]
        self._left_out.clear()
        return f" [{total} more lines before; {most} of {name}: {str(message)[:80]}]"


def _shorten(record: logging.LogRecord, suffix: str) -> None:
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        suffix = f": {error!r}{suffix}"
        record.exc_info = record.exc_text = None
    if suffix:
        record.msg, record.args = f"{record.getMessage()}{suffix}", None


def limit_library_logs() -> None:
    """Limit what these libraries log from now on; a second call does nothing."""
    # A logger's filter does not see what its children hand on, so each one gets it.
    names = [
        name
        for name in (*logging.root.manager.loggerDict, *LIBRARIES)
        if name.split(".")[0] == "aiokafka" or name in LIBRARIES
    ]
    for name in set(names):
        logger = logging.getLogger(name)
        if _repeat_filter not in logger.filters:
            logger.addFilter(_repeat_filter)


_repeat_filter: Final = RepeatFilter()
