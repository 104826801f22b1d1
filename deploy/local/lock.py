"""One runtime per data directory."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from deploy.local.errors import AlreadyRunningError

LOCK_NAME = "runtime.lock"


@contextlib.contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir` alone. The kernel lets go when this process ends, however it ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(data_dir) from None
        yield


def is_locked(data_dir: Path) -> bool:
    """Return whether some process holds `data_dir` now."""
    try:
        with (data_dir / LOCK_NAME).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
