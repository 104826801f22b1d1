"""One runtime per data directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from deploy.local.credentials import OWNER_ONLY_FOLDER
from deploy.local.errors import AlreadyRunningError

PASSABLE_FOLDER = 0o711
LOCK_NAME = "runtime.lock"


@contextlib.contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir` alone. The kernel lets go when this process ends, however it ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    data_dir.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    # Also a folder of an earlier release: it has feedback, models and the logs of all services.
    # Root's servers run as another user, who has to pass through it.
    data_dir.chmod(PASSABLE_FOLDER if os.geteuid() == 0 else OWNER_ONLY_FOLDER)
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
