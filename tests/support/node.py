"""The Node that runs tests of the TypeScript client."""

import shutil
import subprocess

import pytest

OLDEST = (20, 3)


def require_node() -> str:
    """The path of Node; the test is skipped, with the reason, where it is absent or too old."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no `node` on the PATH: the TypeScript client is not tested here")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10).stdout
    numbers = tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2])
    if numbers < OLDEST:
        pytest.skip(f"Node {version.strip()} is older than {OLDEST}: the client is not tested here")
    return path
