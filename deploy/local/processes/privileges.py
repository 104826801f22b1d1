"""Whom PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class UnprivilegedUser:
    """The user that a child becomes, and whether closed directories are in its way."""

    uid: int
    gid: int
    needs_reach: bool


def unprivileged_user(*paths: Path) -> UnprivilegedUser | None:
    """Say whom to become to use `paths`; nobody else when this process is not root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    closed = any(not _is_open_to_all(parent) for path in paths for parent in path.parents)
    return UnprivilegedUser(entry.pw_uid, entry.pw_gid, needs_reach=closed)


def hand_over(path: Path, user: UnprivilegedUser | None) -> None:
    """Give `path` to `user`, if there is one."""
    if user is not None:
        os.chown(path, user.uid, user.gid)


def _is_open_to_all(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IXOTH)
