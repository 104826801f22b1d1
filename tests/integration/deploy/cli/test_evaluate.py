"""`archon evaluate` as a CI job runs it: exit codes, reports, endpoints, folders and versions."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from archon_contracts.values import ArtifactRef
from deploy.cli import app
from shared.artifacts.store import ArtifactStore
from tests.support.training.tiny_models import stubborn_classifier

SUITE = """
suite: weather
timeout_seconds: 0.4
cases:
  - {id: rain, input: will it rain, target: a}
  - {id: song, input: play a song, target: a, assertions: [{equals: a}]}
thresholds:
  - {metric: accuracy, at_least: 0.9}
"""


class FakeServer(ThreadingHTTPServer):
    """An endpoint that gives one answer, and a gateway that knows one version."""

    daemon_threads = True
    answer = "a"
    seconds = 0.0
    model: ArtifactRef | None = None


class FakeHandler(BaseHTTPRequestHandler):
    """Requests of both."""

    server: FakeServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        threading.Event().wait(self.server.seconds)
        self._send({"choices": [{"message": {"content": self.server.answer}}]})

    def do_GET(self) -> None:
        model = self.server.model
        assert model is not None
        deployed = self.path.endswith("/deployed")
        self._send({"version": "1.2.0"} if deployed else model.model_dump())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _send(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(("127.0.0.1", 0), FakeHandler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "suite.yaml"
    file.write_text(SUITE)
    return file


def url_of(server: FakeServer, path: str = "/v1") -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def evaluate(suite: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", str(suite), *options])


def test_a_passing_endpoint_exits_with_0_and_gives_json(server: FakeServer, suite: Path) -> None:
    result = evaluate(suite, "--agent", url_of(server), "--json")

    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["passed"] is True
    assert {each["name"] for each in report["metrics"]} >= {"accuracy", "latency_p95", "calls"}


def test_a_failing_endpoint_exits_with_1_and_writes_both_files(
    server: FakeServer, suite: Path, tmp_path: Path
) -> None:
    server.answer = "b"
    junit, page = tmp_path / "junit.xml", tmp_path / "report.html"
    files = ("--junit", str(junit), "--html", str(page))

    result = evaluate(suite, "--agent", url_of(server), *files)

    assert result.exit_code == 1, result.output
    assert 'failures="2"' in junit.read_text()
    assert "not passed" in page.read_text()
    assert "accuracy is 0 " in result.output.replace("\n", " ")


def test_an_endpoint_that_hangs_exits_with_2(server: FakeServer, suite: Path) -> None:
    server.seconds = 2

    result = evaluate(suite, "--agent", url_of(server))

    assert result.exit_code == 2
    assert "answered none of 2: no answer within 0.4 s" in result.stderr


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("http://127.0.0.1:9/v1", "cannot be reached"),
        ("./no-such-folder", "there is no folder no-such-folder"),
        (".", "cannot be loaded"),
    ],
)
def test_an_unusable_agent_exits_with_2(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = evaluate(suite, "--agent", agent)

    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("text", ["suite: x\n", "suite: x\ncase: []\n", "nothing"])
def test_an_unusable_suite_exits_with_2(suite: Path, text: str) -> None:
    suite.write_text(text)

    result = evaluate(suite, "--agent", "http://127.0.0.1:9")

    assert result.exit_code == 2
    assert "suite.yaml" in result.stderr


def test_a_folder_and_the_deployed_version_give_the_same_answers(
    server: FakeServer, suite: Path, tmp_path: Path
) -> None:
    folder = stubborn_classifier(tmp_path / "made")
    store = ArtifactStore((tmp_path / "artifacts").as_uri())
    server.model = asyncio.run(store.publish(folder))
    gateway = ("--url", url_of(server, ""), "--api-key", "k")

    results = [
        evaluate(suite, "--agent", agent, "--json", *gateway)
        for agent in (str(folder), "weather", "weather@1.2.0")
    ]

    assert [each.exit_code for each in results] == [0, 0, 0], results[1].output
    reports = [json.loads(each.stdout) for each in results]
    assert [each["agent"] for each in reports] == [str(folder), "weather", "weather@1.2.0"]
    assert {each["results"][0]["score"] for each in reports} == {reports[0]["results"][0]["score"]}


def test_a_changed_artifact_is_not_evaluated(
    server: FakeServer, suite: Path, tmp_path: Path
) -> None:
    store = ArtifactStore((tmp_path / "artifacts").as_uri())
    ref = asyncio.run(store.publish(stubborn_classifier(tmp_path / "made")))
    server.model = ref
    card = Path(ref.uri.removeprefix("file://")) / "archon.json"
    card.write_text(card.read_text() + " ")

    gateway = ("--url", url_of(server, ""), "--api-key", "k")
    result = evaluate(suite, "--agent", "weather", *gateway)

    assert result.exit_code == 2
    assert "archon.json" in result.stderr
