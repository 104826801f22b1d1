"""`archon experiments`: what is shown of comparisons."""

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from deploy.cli import app, experiments
from deploy.cli.output import console
from deploy.gateway_client import GatewayClient

ID = "0198c0de-0000-7000-8000-000000000001"
AT = "2026-03-01T12:00:00Z"
LEAD = {"value": 0.09, "low": 0.01, "high": 0.17, "n": 1200}


def arm(version: str, scored: int) -> dict[str, Any]:
    return {
        "model": {"version": version},
        "interactions": 2000,
        "failed": 1,
        "scored": scored,
        "feedback_rate": scored / 2000,
        "outcome": {"value": 0.8, "low": 0.75, "high": 0.85, "n": scored},
    }


ARMS = [arm("1.0.0", 500), arm("1.1.0", 640)]
EXPERIMENT: dict[str, Any] = {
    "experiment_id": ID,
    "agent_id": "picker",
    "mode": "canary",
    "state": "promoted",
    "control": {"version": "1.0.0"},
    "treatment": {"version": "1.1.0"},
    "proportion": 0.5,
    "started_at": AT,
    "ended_at": AT,
    "stop_reason": "nothing got worse",
    "selection": "scored are 25.0 % of 2,000 answers",
    "difference": LEAD,
    "division_p_value": 0.5,
    "arms": ARMS,
    "measures": [
        {
            "measured_at": AT,
            "treatment_proportion": 0.25,
            "arms": ARMS,
            "difference": None,
            "harm_log_e_value": -0.5,
            "harm_log_limit": 5.3,
        }
    ],
}


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == f"/v1/experiments/{ID}":
        return httpx.Response(200, json=EXPERIMENT)
    assert dict(request.url.params).items() >= {"agent_id": "picker", "state": "promoted"}.items()
    return httpx.Response(200, json={"items": [EXPERIMENT], "next_cursor": None})


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_url: str | None, _key: str | None) -> GatewayClient:
        made = GatewayClient("http://gateway", "key")
        made._http = httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(answer))
        return made

    monkeypatch.setattr(experiments, "connect", connect)
    # The console has read COLUMNS when it was imported, not later.
    monkeypatch.setattr(console, "_width", 220)


def shown(*arguments: str) -> str:
    """What a command prints, blanks and wraps aside."""
    result = CliRunner().invoke(app, ["experiments", *arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_experiments_are_listed_with_their_difference_and_filters() -> None:
    printed = shown("list", "--agent", "picker", "--state", "promoted")

    assert "1.1.0" in printed
    assert "+9.0 points" in printed


def test_an_experiment_shows_arms_selection_and_why_it_ended() -> None:
    printed = shown("show", ID)

    for part in ("nothing got worse", "25.0 %", "32.0 %", "0.800 (0.750 to 0.850)", "500 / 640"):
        assert part in printed
    assert "scored are 25.0 % of 2,000 answers" in printed
    assert "e^-0.50 of e^5.30" in printed
