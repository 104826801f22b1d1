"""The allow-list of children's environments, and that there is no other way to a child."""

import re
from pathlib import Path

import pytest

from shared.work.child_environment import allowed_environment

ROOT = Path(__file__).parents[4]
STARTS_PROCESSES = re.compile(
    r"^\s*(import|from) (subprocess|multiprocessing)|create_subprocess|os\.(fork|exec|posix_spawn)|"
    r"ProcessPoolExecutor",
    re.MULTILINE,
)


@pytest.mark.parametrize(
    "name",
    ["ARCHON_DATABASE_URL", "HF_TOKEN", "AWS_ACCESS_KEY_ID", "OTEL_EXPORTER_OTLP_HEADERS", "X"],
)
def test_what_is_not_on_the_list_is_left_out(name: str) -> None:
    assert allowed_environment({name: "secret", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_what_numeric_libraries_read_is_kept() -> None:
    kept = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "0", "PYTHONPATH": "/x"}

    assert allowed_environment(kept) == kept


def test_services_start_processes_by_the_pool_alone() -> None:
    sources = [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if STARTS_PROCESSES.search(path.read_text())
    }

    # A resident child is started by the pool: it has only types of multiprocessing itself.
    pool = ("shared/work/child_", "shared/work/resident_child.py")
    assert {path for path in found if not path.startswith(pool)} == set()
