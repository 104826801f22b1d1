"""`archon runs`: tables, charts and files of what trainings recorded."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.cli.commands import runs
from deploy.cli.commands.runs import different_settings
from deploy.cli.plots import Curve, draw_curves
from deploy.gateway_client import GatewayClient

AT = "2026-03-01T12:00:00Z"
JOBS = {
    "one": {"epochs": 3},
    "two": {"epochs": 5, "seed": 1},
}


def job(name: str) -> dict[str, Any]:
    return {
        "job_id": name,
        "agent_id": "picker",
        "method": "continual",
        "state": "completed",
        "version": "1.1.0",
        "attempt": 1,
        "created_at": AT,
        "state_at": AT,
        "config": JOBS[name],
    }


def series(newest: float) -> dict[str, Any]:
    ends = {"points": 2, "first_step": 1, "last_step": 2, "lowest": newest, "highest": 1.0}
    return {"name": "train/loss", "attempt": 1, "newest": newest} | ends


def answer(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    if path == "/v1/agents/picker/models/1.1.0":
        return httpx.Response(200, json={"lineage": {"job_id": "two"}})
    if path == "/v1/jobs":
        return httpx.Response(200, json={"items": [job("one")], "next_cursor": None})
    name, _, part = path.removeprefix("/v1/jobs/").partition("/")
    if name not in JOBS:
        return httpx.Response(404, json={"detail": f"no job is named {name}"})
    loss = 0.25 if name == "two" else 0.5
    curve = {"name": "train/loss", "attempt": 1, "points": 2, "steps": [1, 2], "values": [1, loss]}
    recorded = {"step": 1, "value": loss, "attempt": 1, "recorded_at": AT}
    bodies: dict[str, Any] = {
        "": job(name),
        "series": {"items": [series(loss)]},
        "curves": {"items": [curve]},
        "metrics": {"items": [{"name": "train/loss"} | recorded]},
    }
    return httpx.Response(200, json=bodies[part])


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_url: str | None, _key: str | None) -> GatewayClient:
        made = GatewayClient("http://gateway", "key")
        made._http = httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(answer))
        return made

    monkeypatch.setattr(runs, "connect", connect)


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["runs", *arguments], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    return result.output


def test_runs_are_listed_with_their_newest_loss() -> None:
    found = json.loads(invoke("list", "--json"))

    assert [(run["job_id"], run["series"][0]["newest"]) for run in found] == [("one", 0.5)]
    assert "0.500" in invoke("list")


def test_a_run_is_named_by_the_version_that_it_gave() -> None:
    found = json.loads(invoke("show", "picker@1.1.0", "--json"))

    assert (found["job_id"], found["config"]) == ("two", {"epochs": 5, "seed": 1})


def test_runs_are_compared_by_metrics_and_settings() -> None:
    shown = invoke("compare", "one", "picker@1.1.0")

    assert "0.500" in shown
    assert "0.250" in shown
    assert "default" in shown
    assert list(json.loads(invoke("compare", "one", "two", "--json"))) == ["one", "two"]


def test_settings_that_are_equal_are_no_row() -> None:
    assert different_settings([{"a": 1, "b": 2}, {"a": 1, "b": 3}]) == [("b", "2", "3")]


def test_curves_are_drawn_with_a_legend_and_a_missing_metric_is_named() -> None:
    shown = invoke("plot", "one", "two", "--metric", "train/loss", "--metric", "nothing")

    assert "one" in shown
    assert "two" in shown
    assert any("\u2800" < letter <= "\u28ff" for letter in shown)
    assert "no run has recorded nothing" in shown


def test_a_chart_fits_its_size_and_holds_both_extremes() -> None:
    curve = Curve("loss", range(1, 200), [1.0 / step for step in range(1, 200)])

    lines = draw_curves([curve], width=40, height=8, colours=False).splitlines()

    body = [line for line in lines if any("\u2800" < c <= "\u28ff" for c in line)]
    assert 1 < len(body) <= 10
    assert all(len(line) < 60 for line in body)


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0])
def test_a_constant_curve_can_be_drawn(value: float) -> None:
    assert draw_curves([Curve("c", [1], [value])], width=20, height=4, colours=False)


def test_a_chart_without_a_point_is_refused() -> None:
    with pytest.raises(ValueError, match="no point"):
        draw_curves([Curve("c", [], [])], width=20, height=4, colours=False)


@pytest.mark.parametrize(
    ("file_format", "pattern"),
    [("tensorboard", "**/events.out.*"), ("mlflow", "**/metrics/train/loss"), ("prometheus", "*")],
)
def test_runs_are_exported(tmp_path: Path, file_format: str, pattern: str) -> None:
    place = tmp_path / "out" if file_format != "prometheus" else tmp_path / "archon.prom"

    invoke("export", "one", "--format", file_format, "--to", str(place))

    assert [path for path in tmp_path.glob(pattern) if path.is_file()]
