"""What `archon status` makes stand out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.commands import status as command
from deploy.cli.main import app
from deploy.local.processes.status import ProcessState, ProcessStatus


class _Gateway:
    url = "http://127.0.0.1:1"

    def __init__(self, status: dict[str, Any]) -> None:
        self._status = status

    def get(self, _path: str) -> dict[str, Any]:
        return self._status

    def items(self, _path: str, **_query: object) -> list[Any]:
        return []


def _run(
    monkeypatch: pytest.MonkeyPatch,
    status: dict[str, Any],
    *options: str,
    here: Sequence[ProcessStatus] = (),
) -> str:
    @contextmanager
    def connect(_url: object, _key: object) -> Iterator[_Gateway]:
        yield _Gateway(status)

    monkeypatch.setattr(command, "connect", connect)
    monkeypatch.setattr(command, "local_processes", lambda _url: here)
    result = CliRunner().invoke(app, ["status", *options])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_refused_audit_entries_are_a_problem_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    shown = _run(monkeypatch, {"refused_audit_entries": 3}, *options)

    assert "3 entries are dead letters" in shown
    assert "archon dlq replay" in shown


@pytest.mark.parametrize("status", [{"refused_audit_entries": 0}, {}])
def test_an_audit_log_without_gaps_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, status: dict[str, Any]
) -> None:
    assert "dead letters" not in _run(monkeypatch, status)


def test_problems_of_services_hide_neither_the_status_nor_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = {"gateway": {"kafka": "away"}, "trainer": {}, "broker": {"kafka": "no service"}}
    monkeypatch.setattr(command, "problems_of", dict(enumerate(here.values())).__getitem__)
    processes = [
        ProcessStatus(name=name, pid=None, state=ProcessState.READY, restarts=0, port=port)
        for port, name in enumerate(here)
    ]

    found = json.loads(_run(monkeypatch, {"refused_audit_entries": 3}, "--json", here=processes))

    assert found["refused_audit_entries"] == 3
    assert found["problems"].keys() == {"gateway"}
    assert found["problems"]["gateway"].keys() == {"kafka", "audit"}
