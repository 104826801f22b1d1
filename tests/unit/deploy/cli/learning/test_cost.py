"""What `archon cost` shows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.learning import cost as command
from deploy.cli.main import app

USE = {
    "trainings": 2,
    "wall_seconds": 11.0,
    "cpu_seconds": 22.0,
    "gpu_seconds": 0.0,
    "energy_wh": 0.75,
    "cost": 2.5,
}
FOUND = {"agents": [{"agent_id": "picker", "peak_memory_mb": 900.0, **USE}], "total": USE}


class CostGateway:
    """Answers the one request."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        self.asked = {"path": path, **query}
        return FOUND


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_costs_are_shown_by_agent_and_together(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    gateway = CostGateway()

    @contextmanager
    def connect(_url: object, _key: object) -> Iterator[CostGateway]:
        yield gateway

    monkeypatch.setattr(command, "connect", connect)
    result = CliRunner().invoke(app, ["cost", "--agent", "picker", "--days", "7", *options])

    assert result.exit_code == 0, result.output
    assert gateway.asked == {"path": "/v1/costs", "agent_id": "picker", "days": 7}
    if options:
        assert json.loads(result.output) == FOUND
    else:
        assert all(text in result.output for text in ("picker", "all", "2.5", "0.75"))
