"""A process that a test starts ends with the test, also when an assertion fails before its end."""

import ast
import signal
from pathlib import Path

import pytest

from tests.support.infrastructure.python_process import python_process

TESTS = Path(__file__).parents[2]
STARTS = {"create_subprocess_exec", "create_subprocess_shell"}
# Only here is the end of a process tied to the end of a block; a browser is asked to end first.
# The fault suite starts its load generators, and ends them, in a process of its own.
MAY_START = {"support/browser.py", "support/infrastructure/python_process.py"}


def _starts_processes(path: Path) -> bool:
    tree = ast.parse(path.read_text())
    return any(isinstance(node, ast.Attribute) and node.attr in STARTS for node in ast.walk(tree))


def test_processes_are_started_by_the_helper_that_ends_them() -> None:
    started = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if "faults" not in path.relative_to(TESTS).parts and _starts_processes(path)
    }
    assert started == MAY_START


async def test_a_failed_assertion_ends_the_process() -> None:
    with pytest.raises(AssertionError):
        async with python_process("-c", "import signal; signal.pause()") as process:
            raise AssertionError
    assert process.returncode == -signal.SIGKILL
