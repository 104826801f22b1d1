"""Fork servers live as long as their services: they import what every run needs, and no more."""

import subprocess
import sys
from functools import cache

import pytest

from services.data_prep.child import FORK_SERVER_MODULES as DATA_PREP
from services.evaluator.child import FORK_SERVER_MODULES as EVALUATOR
from services.trainer.child import FORK_SERVER_MODULES as TRAINER
from tests.support.sources import ROOT

UNNEEDED = ("scipy.optimize", "scipy.stats", "pandas", "pyarrow", "datasets", "sklearn", "trl")

IMPORTS = """
import gc, importlib, sys
gc.disable()  # as in a fork server
for name in {modules}:
    importlib.import_module(name)
print(" ".join(name for name in {unneeded} if name in sys.modules))
"""

DATASETS = """
import transformers.trainer
assert not transformers.trainer.is_datasets_available()
from datasets import Dataset
assert transformers.trainer.is_datasets_available()
assert isinstance(Dataset.from_list([{"a": 1}]), transformers.trainer.datasets.Dataset)
import transformers.utils
assert transformers.utils.is_datasets_available() and transformers.utils.is_scipy_available()
"""


# One interpreter for both questions about the trainer: its imports take five seconds of a core.
PROGRAMS = {"evaluator": IMPORTS.format(modules=EVALUATOR, unneeded=UNNEEDED)}
PROGRAMS["data_prep"] = IMPORTS.format(
    modules=DATA_PREP, unneeded=("pandas", "pyarrow", "torch", "transformers")
)
PROGRAMS["trainer"] = IMPORTS.format(modules=TRAINER, unneeded=UNNEEDED) + DATASETS


@cache
def run(service: str) -> subprocess.CompletedProcess[str]:
    """What a fresh interpreter does with a service's program."""
    command = [sys.executable, "-c", PROGRAMS[service]]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_fork_server_imports_no_library_that_its_runs_do_without(service: str) -> None:
    done = run(service)

    # The line is there only once everything is imported.
    assert done.stdout == "\n", done.stderr


def test_the_trainer_knows_a_dataset_once_the_library_is_imported() -> None:
    done = run("trainer")

    assert done.returncode == 0, done.stderr


def test_children_of_data_preparation_find_scikit_learn_imported() -> None:
    program = IMPORTS.format(modules=DATA_PREP, unneeded=("sklearn.feature_extraction.text",))
    program += "import pandas\n"  # which only those imports go without

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "sklearn.feature_extraction.text\n"), done.stderr
