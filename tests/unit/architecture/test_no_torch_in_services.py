"""Service processes stay small: heavy libraries are imported by child processes alone."""

import subprocess
import sys

import pytest

from archon_contracts.topics import SERVICES
from tests.support.sources import ROOT

HEAVY = (
    *("torch", "transformers", "trl", "peft", "accelerate", "datasets", "sklearn", "scipy"),
    *("numpy", "pandas", "mpmath", "sympy", "httpx", "rich", "pygments"),
)

PROGRAM = """
import importlib, sys
importlib.import_module("services.{service}.app")
importlib.import_module("services.{service}.settings")
print(" ".join(name for name in {heavy} if name in sys.modules))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_process_imports_no_heavy_library(service: str) -> None:
    program = PROGRAM.format(service=service, heavy=HEAVY)

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=50
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
