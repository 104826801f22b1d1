"""`archon synthetic`: what is sent, shown, and the exit code."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app, sending
from deploy.cli.learning import synthetic
from deploy.gateway_client import GatewayClient

RUNNING = {"state": "running", "progress": {"accepted": 3}}
READY = {
    "state": "ready",
    "items": 812,
    "dataset": "synthetic-x",
    "shortfall": "asked for 1000, delivered 812: too_similar 400",
    "rejected": {"duplicate": 20, "too_similar": 400},
    "quality": {"vendi": 61.25, "measured": 812, "privacy": {"nearest": 0.125}},
}
NOTHING = {"state": "ready", "items": 0, "shortfall": "asked for 5, delivered 0: none"}
CANCELLED = {"state": "cancelled", "reason": "too many"}


def run(
    monkeypatch: pytest.MonkeyPatch, states: list[dict[str, Any]], *arguments: str
) -> tuple[Result, list[Any]]:
    posted: list[Any] = []
    left = list(states)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posted.append((request.url.path, json.loads(request.content)))
            return httpx.Response(202, json={"result": "/v1/synthetic/x"})
        return httpx.Response(200, json=left.pop(0))

    def connect(url: str | None, api_key: str | None) -> GatewayClient:
        client = GatewayClient("http://gateway", "key")
        client._http = httpx.Client(
            base_url="http://gateway", transport=httpx.MockTransport(answer)
        )
        return client

    for module in (synthetic, sending):
        monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(synthetic, "POLL_SECONDS", 0.0)
    return CliRunner().invoke(app, ["synthetic", *arguments]), posted


def test_items_are_asked_for_and_their_figures_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("generate", "bank", "--count", "1000", "--method", "llm", "--edge-case", "empty")
    result, posted = run(monkeypatch, [RUNNING, READY], *arguments, "--examples", "few")

    (path, body), *_ = posted
    assert (result.exit_code, path) == (0, "/v1/functions/generateSyntheticTrainingData")
    asked = (body["scenarioType"], body["methods"], body["edgeCaseFamilies"], body["examples"])
    assert asked == ("bank", ["llm"], ["empty"], "few")
    for text in ("812 items", "synthetic-x", "delivered 812", "too_similar", "61.25", "0.125"):
        assert text in result.output


@pytest.mark.parametrize(("end", "text"), [(NOTHING, "delivered 0"), (CANCELLED, "too many")])
def test_without_items_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], text: str
) -> None:
    result, _ = run(monkeypatch, [end], "generate", "bank", "--count", "5")

    assert result.exit_code == 1
    assert text in result.output


def test_the_result_is_printed_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = run(monkeypatch, [READY], "generate", "bank", "--json")

    assert json.loads(result.output) == READY


def test_a_request_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    result, posted = run(monkeypatch, [], "cancel", "x", "--reason", "too many")

    assert result.exit_code == 0
    assert posted == [("/v1/synthetic/x/cancel", {"reason": "too many"})]
