"""`archon reviews work`: a number chooses, s skips, u undoes, q ends."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.cli.evaluation import reviews
from deploy.gateway_client import GatewayClient

TASK = {
    "task_id": "t",
    "request": "refund [bold]me[/bold]",
    "answers": ["yes", "no"],
    "choices": ["A", "B", "tie"],
    "rubric": "polite",
}


def run(
    monkeypatch: pytest.MonkeyPatch, posted: list[Any], *arguments: str, keys: str = ""
) -> Result:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            body = json.loads(request.content) if request.content else None
            posted.append((request.url.path, body))
            return httpx.Response(200, json={"status": "accepted", "tasks": "2"})
        if sum("/reviews/t/" in path for path, _ in posted) >= 3:
            return httpx.Response(204)
        return httpx.Response(200, json=TASK)

    def connect(url: str | None, api_key: str | None) -> GatewayClient:
        client = GatewayClient("http://gateway", "key")
        client._http = httpx.Client(
            base_url="http://gateway", transport=httpx.MockTransport(answer)
        )
        return client

    monkeypatch.setattr(reviews, "connect", connect)
    return CliRunner().invoke(app, ["reviews", *arguments], input=keys)


def test_keys_choose_skip_and_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[Any] = []

    result = run(monkeypatch, posted, "work", "picker", keys="2\n7\ns\nu\n3\n")

    assert result.exit_code == 0, result.output
    assert posted == [
        ("/v1/reviews/t/choice", {"choice": "B"}),
        ("/v1/reviews/t/skip", None),
        ("/v1/agents/picker/reviews/undo", None),
        ("/v1/reviews/t/choice", {"choice": "tie"}),
    ]
    assert "refund [bold]me[/bold]" in result.output
    assert "1 reviewed" in result.output


def test_q_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[Any] = []

    assert run(monkeypatch, posted, "work", "picker", keys="q\n").exit_code == 0
    assert posted == []


def test_items_of_a_file_are_queued(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, posted = tmp_path / "items.json", list[Any]()
    file.write_text('{"kind": "rubric", "items": [{"request": "q", "answers": ["a"]}]}')

    result = run(monkeypatch, posted, "add", "picker", "--file", str(file), "--votes", "2")

    assert result.exit_code == 0, result.output
    assert posted[0][1]["votes"] == 2
    file.write_text("[oops")
    assert run(monkeypatch, posted, "add", "picker", "--file", str(file)).exit_code == 1
