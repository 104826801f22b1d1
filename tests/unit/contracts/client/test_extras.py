"""A client needs its own library only, and says which one when it is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from archon_contracts import client
from archon_contracts.client.errors import ClientError, MissingExtraError

WITHOUT_LIBRARIES = """
import sys
for name in ("aiokafka", "httpx", "opentelemetry", "torch"):
    sys.modules[name] = None
import archon_contracts.catalogue
from archon_contracts.client import {name}
"""


def run(name: str) -> subprocess.CompletedProcess[str]:
    program = WITHOUT_LIBRARIES.format(name=name)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("KafkaFeedbackClient", "aiokafka", "kafka"),
        ("subscribe", "aiokafka", "kafka"),
        ("HttpFeedbackClient", "httpx", "http"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    name: str, library: str, extra: str
) -> None:
    outcome = run(name)

    message = f"this client needs {library}; install it with: pip install './contracts[{extra}]'"
    assert message in outcome.stderr


def test_contracts_and_pacing_need_no_library_of_a_client() -> None:
    outcome = run("pace_idle_fetches")

    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("name", client.__all__)
def test_every_name_offered_is_there(name: str) -> None:
    assert getattr(importlib.import_module("archon_contracts.client"), name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Feedback'"):
        _ = client.Feedback


def test_a_missing_extra_is_both_a_client_and_an_import_error() -> None:
    assert issubclass(MissingExtraError, ClientError)
    assert issubclass(MissingExtraError, ImportError)
