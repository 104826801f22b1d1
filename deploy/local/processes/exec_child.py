"""Become another program that cannot outlive the process that started this one.

Run as a script: `python -I -S exec_child.py DEATH_SIGNAL PARENT_PID UID GID REACH PROGRAM ARGS...`.

A supervisor that is killed with SIGKILL cannot clean up. On Linux the kernel does it instead: it
sends DEATH_SIGNAL to this process when its parent dies. That request survives exec but is cleared
by a change of user, so it is made after privileges are dropped, in the child itself: no code of
ours runs between fork and exec of a parent that has threads. Elsewhere than on Linux it is left
out.

UID and GID are `-` to stay who we are. REACH is `reach` when the new user could not otherwise
walk to the program and its data, which is so in a checkout below a private home of root: the child
then keeps the one capability that lets it pass closed directories, and no other.
"""

import ctypes
import os
import signal
import sys

# Numbers of Linux's prctl.h and capability.h, which Python has no names for.
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 2
# Containers often withhold the narrow capability and grant this wider one.
CAP_DAC_OVERRIDE = 1


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(arguments: list[str]) -> None:
    """Drop privileges, tie this process to its parent's life, and exec the program."""
    death_signal, parent, uid, gid, reach, *program = arguments
    linux = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if uid != "-":
        _become(linux, int(uid), int(gid), keep_reach=reach == "reach")
    if linux is not None:
        _call(linux.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0))
    # The parent may have died before the request was made; the signal would then never be sent.
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGKILL)
    os.execv(program[0], program)


def _become(linux: ctypes.CDLL | None, uid: int, gid: int, *, keep_reach: bool) -> None:
    if linux is not None and keep_reach:
        _call(linux.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    # Groups before the user: afterwards there is no right to change them.
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if linux is not None and keep_reach:
        _keep_only_reach(linux)


def _keep_only_reach(linux: ctypes.CDLL) -> None:
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        mask = 1 << capability
        data = (_CapabilityData * 2)(_CapabilityData(mask, mask, mask), _CapabilityData(0, 0, 0))
        if linux.capset(ctypes.byref(header), data) == 0:
            _call(linux.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))
            return
    sys.exit("PostgreSQL refuses to run as root, and no other user can reach this directory.")


def _call(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


if __name__ == "__main__":
    main(sys.argv[1:])
