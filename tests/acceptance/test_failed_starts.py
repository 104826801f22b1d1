"""What cannot start says why in one sentence, with an exit code and without a stack trace."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.servers.service_process import PROJECT_ROOT

ARCHON = (sys.executable, "-c", "from deploy.cli import app; app()")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which something else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def finished(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ARCHON_")}
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_port_in_use_is_named(tmp_path: Path, taken_port: int) -> None:
    result = finished(*ARCHON, "up", "--port", str(taken_port), "--data-dir", str(tmp_path))

    assert result.returncode == 2
    assert str(taken_port) in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unreachable_database_ends_the_setup_with_one_sentence() -> None:
    result = finished(
        *ARCHON,
        "setup",
        ARCHON_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        ARCHON_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
    )

    assert result.returncode == 1
    assert result.stderr.startswith("archon: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("service", ["coordinator", "trainer", "gateway"])
def test_a_service_without_its_database_ends_with_one_sentence(
    service: str, tmp_path: Path
) -> None:
    result = finished(
        *(sys.executable, "-m", f"services.{service}"),
        ARCHON_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        ARCHON_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
        ARCHON_ARTIFACTS_URL=tmp_path.as_uri(),
        ARCHON_HEALTH_PORT="0",
        ARCHON_GATEWAY_PORT="0",
        ARCHON_START_TIMEOUT_SECONDS="2",
    )

    assert result.returncode == 2
    assert result.stderr.startswith("archon: PostgreSQL does not answer")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ARCHON_KAFKA_SSL_CAFILE", "/nonexistent.pem", "name a PEM file"),
        ("ARCHON_ARTIFACTS_URL", "nowhere://x", "cannot be used"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    variable: str, value: str, words: str, tmp_path: Path
) -> None:
    settings = {
        "ARCHON_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "ARCHON_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "ARCHON_KAFKA_SECURITY_PROTOCOL": "SSL",
        "ARCHON_ARTIFACTS_URL": tmp_path.as_uri(),
        "ARCHON_HEALTH_PORT": "0",
    }

    result = finished(sys.executable, "-m", "services.registry", **(settings | {variable: value}))

    assert result.returncode == 2
    assert variable in result.stderr
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_service_without_its_broker_ends_with_one_sentence(
    database_url: str, tmp_path: Path
) -> None:
    result = finished(
        *(sys.executable, "-m", "services.registry"),
        ARCHON_DATABASE_URL=database_url,
        ARCHON_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
        ARCHON_ARTIFACTS_URL=tmp_path.as_uri(),
        ARCHON_HEALTH_PORT="0",
        ARCHON_START_TIMEOUT_SECONDS="1",
    )

    assert result.returncode == 2
    assert result.stderr.startswith("archon: Kafka at 127.0.0.1:9 does not answer")
    assert result.stderr.count("\n") == 1
