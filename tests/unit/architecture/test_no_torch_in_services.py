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

# One interpreter imports what all services share, and a fork of it the rest of each: eight
# interpreters took eight times as long for the same imports.
PROGRAM = f"""
import importlib, os, sys
import shared.process.application
for service in {SERVICES}:
    child = os.fork()
    if child == 0:
        importlib.import_module(f"services.{{service}}.app")
        importlib.import_module(f"services.{{service}}.settings")
        print(service, *[name for name in {HEAVY} if name in sys.modules], flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, service
"""


@pytest.fixture(scope="module")
def heavy_imports() -> dict[str, list[str]]:
    """The heavy libraries that each service's process has imported when it starts."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return {service: names for service, *names in map(str.split, done.stdout.splitlines())}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_process_imports_no_heavy_library(
    heavy_imports: dict[str, list[str]], service: str
) -> None:
    assert heavy_imports[service] == []
