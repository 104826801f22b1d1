"""`archon benchmark` and `archon validate`: what is sent, shown, and the exit code."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app, sending
from deploy.cli.evaluation import benchmark_runs, benchmarks, waiting
from deploy.gateway_client import GatewayClient

ESTIMATE = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 40}
BENCHMARK = {
    "passed": True,
    "reasons": ["2 runs of suites passed"],
    "results": [
        {
            "version": "1.1.0",
            "suite": "held-out",
            "passed": True,
            "metrics": [{"name": "accuracy", "estimate": ESTIMATE}],
        }
    ],
    "differences": [
        {
            "version": "1.1.0",
            "control": "1.0.0",
            "metric": "accuracy",
            "group": "all",
            "difference": ESTIMATE,
            "adjusted_p_value": 0.04,
        }
    ],
}
VALIDATION = {
    "passed": False,
    "reasons": ["latency: 0.3 s is above 0.2 s"],
    "checks": [
        {"name": "loads", "passed": True, "detail": "in 0.1 s"},
        {"name": "latency", "passed": False, "detail": "0.3 s is above 0.2 s"},
        {"name": "safety", "detail": "it has fixed answers"},
    ],
}


def run(
    monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], *arguments: str
) -> tuple[Result, Any]:
    posted: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posted.append((request.url.path, json.loads(request.content)))
            return httpx.Response(202, json={"result": "/v1/benchmarks/x"})
        return httpx.Response(200, json=end)

    def connect(url: str | None, api_key: str | None) -> GatewayClient:
        client = GatewayClient("http://gateway", "key")
        client._http = httpx.Client(
            base_url="http://gateway", transport=httpx.MockTransport(answer)
        )
        return client

    for module in (benchmarks, benchmark_runs, sending):
        monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"}), posted


def test_versions_are_shown_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    end = {"state": "completed", "result": BENCHMARK}

    result, posted = run(monkeypatch, end, "benchmark", "picker", "--version", "1.1.0")

    assert result.exit_code == 0, result.output
    assert posted == [
        (
            "/v1/functions/benchmarkAgent",
            {"agentId": "picker", "versions": ["1.1.0"], "repeats": 1},
        )
    ]
    for part in ("accuracy", "0.7 to 0.9", "0.04", "2 runs of suites passed"):
        assert part in result.output


def test_a_version_that_fails_a_check_exits_with_1_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = {"state": "completed", "result": VALIDATION}

    result, posted = run(monkeypatch, end, "validate", "picker", "--latency-limit", "0.2")

    assert result.exit_code == 1
    assert posted[0][1] == {"agentId": "picker", "latencyLimitSeconds": 0.2}
    for part in ("not made", "0.3 s is above 0.2 s"):
        assert part in result.output


def test_work_that_failed_or_takes_too_long_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"state": "failed", "failure": {"reason": "a suite is empty"}}

    result, _ = run(monkeypatch, failed, "validate", "picker", "--json")
    slow, _ = run(monkeypatch, {"state": "running"}, "benchmark", "picker", "--timeout", "1")

    assert (result.exit_code, slow.exit_code) == (1, 1)
    assert "a suite is empty" in result.output
    assert "goes on" in slow.stderr
    assert "archon benchmarks cancel x" in slow.stderr


def test_a_benchmark_is_shown_and_cancelled_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    running = {
        "mode": "benchmark",
        "agent_id": "picker",
        "state": "running",
        "progress": {"answered": 40, "total": 300},
    }

    result, _ = run(monkeypatch, running, "benchmarks", "show", "x")
    cancelled, posted = run(monkeypatch, {}, "benchmarks", "cancel", "x", "--reason", "wrong")

    assert (result.exit_code, cancelled.exit_code) == (0, 0)
    assert "40 of 300 requests" in result.output
    assert posted == [("/v1/benchmarks/x/cancel", {"reason": "wrong"})]
    assert "is being cancelled" in cancelled.output
