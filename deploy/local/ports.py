"""Ports on the loopback address."""

import random
import socket

from deploy.local.errors import PortInUseError

LOOPBACK = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections, so that a port found
# free is not taken by a client socket before its server binds it.
FREE_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tell whether a server could bind `port` on the loopback address now."""
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


def pick_free(preferred: int | None = None, *, taken: frozenset[int] = frozenset()) -> int:
    """Return `preferred` where it is free, else any free port outside `taken`."""
    if preferred is not None and preferred not in taken and is_free(preferred):
        return preferred
    candidates = [port for port in FREE_RANGE if port not in taken]
    random.shuffle(candidates)
    return next(port for port in candidates if is_free(port))
