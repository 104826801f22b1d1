"""`archon curriculum show`: what is shown of levels and skills."""

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.cli.learning import curriculum
from deploy.cli.output import console
from deploy.gateway_client import GatewayClient

CURRICULUM: dict[str, Any] = {
    "agent_id": "picker",
    "level": 2,
    "reason": "0.75 right, not surely at 0.80",
    "feedback_rate": {"value": 0.75, "low": 0.7, "high": 0.8, "n": 300},
    "skills": [
        {
            "skill": "refunds",
            "task_type": "error_handling",
            "level": 2,
            "success_rate": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 90},
            "best_rate": 0.7,
            "is_mastered": False,
        }
    ],
    "coverage": [
        {
            "level": 2,
            "task_type": "error_handling",
            "description": "something failed",
            "items": 90,
            "correct": 45,
        }
    ],
    "next_tasks": [{"skill": "refunds", "proportion": 1.0, "reason": "it fell"}],
    "last_change": {
        "from_level": 1,
        "to_level": 2,
        "changed_at": "2026-03-01T12:00:00Z",
        "reason": "masters level 1",
    },
    "plan": {"rationale": "10 new items all at once"},
    "planned_for": "0198c0de-0000-7000-8000-000000000001",
}


def test_level_skills_next_tasks_and_plan_are_shown_with_their_reasons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(_url: str | None, _key: str | None) -> GatewayClient:
        made = GatewayClient("http://gateway", "key")
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=CURRICULUM))
        made._http = httpx.Client(base_url="http://gateway", transport=transport)
        return made

    monkeypatch.setattr(curriculum, "connect", connect)
    monkeypatch.setattr(console, "_width", 220)

    result = CliRunner().invoke(app, ["curriculum", "show", "picker"])

    assert result.exit_code == 0, result.output
    printed = " ".join(result.output.split())
    for part in (
        "level 2 (intermediate)",
        "0.50 (0.40 to 0.60, 90 answers)",
        "100 %",
        "it fell",
        "masters level 1",
        "10 new items all at once",
    ):
        assert part in printed
