"""`archon triggers backtest`: policies beside each other on an agent's history."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.cli.learning import triggers
from deploy.cli.output import console
from deploy.gateway_client import GatewayClient
from tests.support.messaging.messages import NOON

HOURS = [
    {"hour": (NOON + timedelta(hours=n)).isoformat(), "answers": 100, "wrong": 5 if n < 10 else 40}
    for n in range(20)
]
HISTORY: dict[str, Any] = {"hours": HOURS, "deployed_at": [], "training_seconds": 60.0}


def run(monkeypatch: pytest.MonkeyPatch, history: dict[str, Any], *arguments: str) -> Result:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/feedback-history"):
            return httpx.Response(200, json=history)
        return httpx.Response(200, json={"profile": {"trigger": {"minimum_feedback": 500}}})

    def connect(_url: str | None, _key: str | None) -> GatewayClient:
        made = GatewayClient("http://gateway", "key")
        made._http = httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(answer))
        return made

    monkeypatch.setattr(triggers, "connect", connect)
    monkeypatch.setattr(console, "_width", 220)
    return CliRunner().invoke(app, ["triggers", "backtest", "picker", *arguments])


def test_policies_are_compared_with_the_present_one_and_the_optimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = '{"minimum_feedback": 100000, "maximum_feedback": 100000, "error_rise": 0.1}'

    found = json.loads(run(monkeypatch, HISTORY, "--policy", policy, "--json").output)

    present, other, best = found
    assert [each["policy"] for each in found] == ["present", "policy 1", "optimum"]
    assert {each["reason"] for each in present["retrains"]} == {"count"}
    assert [each["reason"] for each in other["retrains"]] == ["drift"]
    assert best["training_seconds"] + best["regret_seconds"] <= other["regret_seconds"] + 60.0


def test_the_table_and_the_plot_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run(monkeypatch, HISTORY).output

    for part in ("present", "optimum", "known afterwards", "accuracy of what would have been live"):
        assert part in printed


@pytest.mark.parametrize(
    ("history", "arguments", "named"),
    [
        ({"hours": [], "deployed_at": []}, (), "send some"),
        (HISTORY, ("--policy", '{"minimum_feedback": "many"}'), "is no trigger policy"),
        (HISTORY, ("--policy", "{"), "is no trigger policy"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, history: dict[str, Any], arguments: tuple[str, ...], named: str
) -> None:
    result = run(monkeypatch, history, *arguments)

    assert result.exit_code == 1
    assert named in " ".join(result.output.split())
