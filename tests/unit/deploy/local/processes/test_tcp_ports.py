"""Two processes that look for ports at the same time find different ones."""

import subprocess
import sys

from deploy.local.processes import tcp_ports
from deploy.local.processes.tcp_ports import is_free, pick_free

OTHER = """
import sys
from deploy.local.processes import tcp_ports
tcp_ports.FREE_RANGE = range(int(sys.argv[1]), int(sys.argv[1]) + 2)
print(tcp_ports.pick_free(), tcp_ports.pick_free(int(sys.argv[1])))
"""


def _free_pair() -> int:
    """The first of two neighbours that nobody holds."""
    candidates = (port for port in tcp_ports.FREE_RANGE if is_free(port) and is_free(port + 1))
    return next(port for port in candidates if tcp_ports._reservations.reserve(port))


def test_a_port_that_was_picked_but_not_bound_yet_is_not_picked_by_another_process() -> None:
    ours = _free_pair()
    program = [sys.executable, "-c", OTHER, str(ours)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    # Its two choices are ours and the next; even as its preferred one ours is not to be had.
    assert ended.returncode != 0 or str(ours) not in ended.stdout.split()
    assert "StopIteration" in ended.stderr


def test_a_process_gets_a_port_again_only_when_it_prefers_it() -> None:
    first = pick_free()
    assert pick_free(first) == first
    assert pick_free(first, taken=frozenset({first})) != first
    assert len({pick_free() for _ in range(50)} | {first}) == 51
