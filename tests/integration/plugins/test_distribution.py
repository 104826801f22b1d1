"""What tests share is started in one worker, and ended when no further test asks for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import ROOT

FIXTURE = """
import os, pathlib, pytest
from tests.plugins import distribution

distribution.GROUPS = {"system": ("test_0", "test_1")}
LOG = pathlib.Path(__file__).with_name("log")

def note(what):
    with LOG.open("a") as log:
        log.write(f"{what} {os.getpid()}\\n")

@pytest.fixture(scope="session")
def system():
    note("start")
    yield
    note("end")

@pytest.fixture
def noted(request):
    note(request.node.name)
"""
SHARING = "def test_{n}_one(system, noted): pass\ndef test_{n}_two(system, noted): pass\n"
ALONE = "def test_{n}_alone(noted): pass\ndef test_{n}_too(noted): pass\n"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_files_that_share_a_system_run_in_one_worker_that_ends_it_after_them(
    tmp_path: Path, workers: str
) -> None:
    done = run(tmp_path, workers, SHARING, SHARING, ALONE, ALONE, ALONE)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    sharing = next(process for what, process in lines if what == "start")
    there = [what for what, process in lines if process == sharing]
    shared = ["test_0_one", "test_0_two", "test_1_one", "test_1_two"]
    assert there[:6] == ["start", *shared, "end"]
    # Tests of a file stay together: six characters are its name.
    homes = {(what[:6], process) for what, process in lines if what.startswith("test_")}
    assert len(homes) == 5


def test_a_test_that_would_start_a_second_system_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "0", SHARING, ALONE, SHARING)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_2.py::test_2_one asks for the fixture system" in done.stderr


def run(folder: Path, workers: str, *files: str) -> subprocess.CompletedProcess[str]:
    """Run test files of this content with the plugin."""
    (folder / "conftest.py").write_text(FIXTURE)
    for n, content in enumerate(files):
        (folder / f"test_{n}.py").write_text(content.format(n=n))
    command = [sys.executable, "-m", "pytest", "-p", "tests.plugins.distribution", "-n", workers]
    options = ["--dist", "loadfile", "--no-loadscope-reorder", "-c", "/dev/null", "--rootdir", "."]
    return subprocess.run(
        [*command, *options, "."],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
