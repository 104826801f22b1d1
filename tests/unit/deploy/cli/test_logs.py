"""`archon logs analyze`: waits, shows, writes a suite, starts a suggestion."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.cli.evaluation import logs, waiting
from deploy.gateway_client import GatewayClient
from services.evaluator.suites.suite_file import load_suite

CASES = [
    {"id": "i1", "request": "refund me", "target": "refunds", "wrong": "orders"},
    {"id": "i2", "request": "money back", "target": "", "wrong": "orders"},
    {"id": "i3", "request": "hello", "target": "", "wrong": ""},
]
CLUSTER = {
    "name": "refund, money",
    "size": 7,
    "corrected": 5,
    "trend": {"direction": "growing"},
    "evidence": [{"text": "refund me [now]"}],
    "proposed_cases": CASES,
}
RESULT = {
    "figures": {"interactions": 40, "with_feedback": 9, "failures": 8, "unclustered": 1},
    "clusters": [CLUSTER],
    "slow_interactions": 2,
    "loops": [],
    "drift": None,
    "drift_untested": "the training data is not known",
    "suggestions": [
        {"title": "Train", "reason": "many", "path": "/v1/jobs", "body": {"agent_id": "a"}}
    ],
}


class AnalysingGateway:
    """Answers as the gateway does: the analysis is over at the second look."""

    def __init__(self, **end: Any) -> None:
        self.end = {"state": "completed", "result": RESULT} | end
        self.posted: list[tuple[str, Any]] = []
        self._looks = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.posted.append((request.url.path, json.loads(request.content)))
            return httpx.Response(202, json={"result": "/v1/log-analyses/x", "job_id": "j"})
        self._looks += 1
        return httpx.Response(200, json={"state": "running"} if self._looks == 1 else self.end)


def run(monkeypatch: pytest.MonkeyPatch, gateway: AnalysingGateway, *options: str) -> Result:
    def connect(url: str | None, api_key: str | None) -> GatewayClient:
        client = GatewayClient("http://gateway", "key")
        client._http = httpx.Client(
            base_url="http://gateway", transport=httpx.MockTransport(gateway.answer)
        )
        return client

    monkeypatch.setattr(logs, "connect", connect)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    return CliRunner().invoke(app, ["logs", "analyze", "picker", *options])


def test_clusters_and_suggestions_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = AnalysingGateway()

    result = run(monkeypatch, gateway, "--hours", "5")

    assert result.exit_code == 0, result.output
    assert gateway.posted == [
        ("/v1/functions/analyzeAgentLogs", {"agentId": "picker", "hours": 5, "most": 5000})
    ]
    for part in ("refund, money", "growing", "drift not tested", "/v1/jobs"):
        assert part in result.output


def test_a_suggestion_is_started_with_its_own_body(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = AnalysingGateway()

    assert run(monkeypatch, gateway, "--start", "1", "--json").exit_code == 0

    assert gateway.posted[1] == ("/v1/jobs", {"agent_id": "a"})
    assert run(monkeypatch, AnalysingGateway(), "--start", "2").exit_code == 1


def test_the_proposed_cases_are_a_suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "failures.yaml"

    assert run(monkeypatch, AnalysingGateway(), "--cases", str(file)).exit_code == 0

    suite, _ = load_suite(file)
    first, second = suite.cases
    assert (first.target, first.group) == ("refunds", "refund, money")
    assert second.assertions[0].not_contains == "orders"


def test_a_failed_analysis_exits_with_1_and_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = AnalysingGateway(state="failed", failure={"reason": "nothing was reported"})

    result = run(monkeypatch, gateway)

    assert result.exit_code == 1
    assert "nothing was reported" in result.output
