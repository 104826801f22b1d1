"""What `archon models show` and `archon jobs show` do with a run's report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.cli.commands import jobs, models
from deploy.cli.output import console
from deploy.gateway_client import GatewayClient
from services.gateway.reports.builder import build_run_report
from tests.support.gateway.reported_runs import changes_of, job_of, points_of

MODEL = "/v1/agents/helper/models/1.1.0"
JOB = "/v1/jobs/a-job"
PAGE = "<!doctype html><p>Ergebnis: größer</p>"


def report() -> dict[str, Any]:
    """A report as the gateway gives it."""
    built = build_run_report(job_of(), points_of("train/loss", {1: 1.0}), changes_of())
    return built.model_dump(mode="json")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, httpx.Response]:
    """What the gateway answers, by path; anything else is not found."""
    known = {
        MODEL: httpx.Response(200, json={"version": "1.1.0", "lineage": {"job_id": "a-job"}}),
        f"{MODEL}/report": httpx.Response(200, json=report()),
        f"{MODEL}/report.html": httpx.Response(200, html=PAGE),
        JOB: httpx.Response(200, json=job_of().model_dump(mode="json")),
        f"{JOB}/curves": httpx.Response(200, json={"items": []}),
        f"{JOB}/report.html": httpx.Response(200, html=PAGE),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        unknown = httpx.Response(404, json={"detail": "no such thing"})
        return known.get(request.url.path, unknown)

    monkeypatch.setattr(models, "connect", connected(answer))
    monkeypatch.setattr(jobs, "connect", connected(answer))
    return known


def connected(
    answer: Callable[[httpx.Request], httpx.Response],
) -> Callable[[str | None, str | None], GatewayClient]:
    """A `connect` to a gateway that answers so."""

    def connect(_url: str | None, _key: str | None) -> GatewayClient:
        gateway = GatewayClient("http://gateway", "key")
        gateway._http = httpx.Client(
            base_url="http://gateway", transport=httpx.MockTransport(answer)
        )
        return gateway

    return connect


@pytest.fixture(autouse=True)
def wide_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that cut no cell. The console has read COLUMNS when it was imported, not later."""
    monkeypatch.setattr(console, "_width", 200)


def run(*arguments: str) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("answers")
def test_a_version_is_shown_with_its_matrix_its_moves_and_its_candidates() -> None:
    output = run("models", "show", "helper", "1.1.0")

    for shown in (
        "passed: accuracy rises by 20.0%",
        "all items",
        "+60.0 (+55.0 to +65.0)",
        "undecided",
        "greeting",
        "i1, i2",
        "strategy standard",
        "it learnt: weights moved",
        "quarantined: 3 contradicted",
    ):
        assert shown in output


@pytest.mark.usefixtures("answers")
def test_json_has_the_report_beside_the_version() -> None:
    found = json.loads(run("models", "show", "helper", "1.1.0", "--json"))

    assert found["version"] == "1.1.0"
    assert found["report"] == report()


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    "command", [("models", "show", "helper", "1.1.0"), ("jobs", "show", "a-job")]
)
def test_the_page_is_written_as_the_gateway_gave_it(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "changed.html"

    output = run(*command, "--report", str(file))

    assert file.read_text(encoding="utf-8") == PAGE
    assert "the report is in" in output


def test_a_version_whose_run_is_not_known_yet_is_shown_without_a_report(
    answers: dict[str, httpx.Response],
) -> None:
    answers[MODEL] = httpx.Response(200, json={"version": "1.1.0", "lineage": {}})
    del answers[f"{MODEL}/report"]

    assert json.loads(run("models", "show", "helper", "1.1.0", "--json"))["report"] is None


def test_a_page_that_is_refused_is_a_sentence_and_no_file(
    answers: dict[str, httpx.Response], tmp_path: Path
) -> None:
    answers[f"{MODEL}/report.html"] = httpx.Response(404, json={"detail": "no model version"})
    file = tmp_path / "changed.html"

    result = CliRunner().invoke(app, ["models", "show", "helper", "1.1.0", "--report", str(file)])

    assert (result.exit_code, file.exists()) == (1, False)
    assert "no model version" in result.output


def test_a_job_shows_the_recall_of_the_classes_that_are_answered_worst(
    answers: dict[str, httpx.Response],
) -> None:
    job = job_of().model_dump(mode="json")
    results = [
        {"name": "recall", "model": model, "group": "rare class", "estimate": score}
        for model, score in (
            ("candidate", {"value": 0.125, "low": 0.0, "high": 0.4, "n": 8}),
            ("deployed", {"value": 0.75, "low": 0.4, "high": 0.9, "n": 8}),
        )
    ]
    job["evaluation"] |= {"results": results}
    answers[JOB] = httpx.Response(200, json=job)

    output = run("jobs", "show", "a-job")

    assert "recall of the worst classes" in output
    (line,) = [each for each in output.splitlines() if "rare class" in each]
    assert "0.125" in line
    assert "0.750" in line
