"""Ports on the loopback address.

A port that was found free is bound only when its server starts, seconds later perhaps. Until then
nothing but a lock keeps another process from finding the same one.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from deploy.local.errors import PortInUseError

LOOPBACK = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections, so that a port found
# free is not taken by a client socket before its server binds it.
FREE_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Return whether a server could bind `port` on the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a closed connection that lingers does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def require_free(name: str, port: int) -> int:
    """Return `port`, which a person chose for `name`.

    Raises:
        PortInUseError: something listens there.
    """
    if not is_free(port):
        raise PortInUseError(name, port)
    return port


class _Reservations:
    """Ports that this process picked: a byte each of a file of this user's, locked to its end."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._own: set[int] = set()

    def __contains__(self, port: int) -> bool:
        return port in self._own

    def reserve(self, port: int) -> bool:
        """Reserve a port; False while another process holds it."""
        if self._file is None:
            path = Path(tempfile.gettempdir()) / f"archon-ports-{os.getuid()}"
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        self._own.add(port)
        return True


_reservations = _Reservations()


def pick_free(preferred: int | None = None, *, taken: frozenset[int] = frozenset()) -> int:
    """Return `preferred` where it is free, else any free port outside `taken`.

    No other process of this user gets it from here before this one has ended, nor does this one
    get it twice unless it prefers it.
    """
    if preferred is not None and preferred not in taken and _is_ours(preferred):
        return preferred
    candidates = [port for port in FREE_RANGE if port not in taken and port not in _reservations]
    random.SystemRandom().shuffle(candidates)  # whatever seeds the process has been given
    return next(port for port in candidates if _is_ours(port))


def _is_ours(port: int) -> bool:
    return is_free(port) and _reservations.reserve(port)
