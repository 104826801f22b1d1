"""A local system's database waits for the disk, unless the system is a throw-away one."""

from pathlib import Path

import pytest

from deploy.local.servers.choice import ChosenServers
from deploy.local.settings import LocalSettings

PORTS = {"postgres": 1, "broker": 2}
DURABLE = ("fsync", "full_page_writes")


def _server_settings(folder: Path) -> dict[str, str]:
    servers = ChosenServers.of(LocalSettings(), folder, PORTS, folder)
    assert servers.postgres is not None
    return servers.postgres._settings


def test_a_commit_waits_for_the_disk_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCHON_LOCAL_DURABLE")
    assert not set(DURABLE) & _server_settings(tmp_path).keys()


def test_the_systems_of_tests_do_not_wait(tmp_path: Path) -> None:
    settings = _server_settings(tmp_path)
    assert {settings[name] for name in DURABLE} == {"off"}
    # A test that kills the server expects what was committed before.
    assert "synchronous_commit" not in settings
