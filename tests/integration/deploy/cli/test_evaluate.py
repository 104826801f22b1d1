"""`archon evaluate` as a CI job runs it: exit codes, reports, endpoints, folders and versions."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
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


GRADED = """
suite: replies
cases:
  - {id: kind, input: say hello, target: a, human_quality: 1.0}
  - {id: rude, input: say goodbye, target: a, human_quality: 0.0}
grading: {rubric: the answer is kind, repeats: 2}
thresholds:
  - {metric: accuracy, at_least: 0.9}
  - {metric: response_quality, at_least: 0.4}
"""


def grade_kindness(prompt: str) -> str:
    """Five of the kind case, one of the other, as a model would wrap it."""
    return f'Sure: {{"score": {5 if "say hello" in prompt else 1}, "reason": "so"}}'


class FakeServer(ThreadingHTTPServer):
    """An endpoint that gives one answer, a grader, and a gateway that knows one version."""

    daemon_threads = True
    grade: Callable[[str], str] = staticmethod(grade_kindness)
    answer = "a"
    seconds = 0.0
    model: ArtifactRef | None = None


class FakeHandler(BaseHTTPRequestHandler):
    """Requests of both."""

    server: FakeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        threading.Event().wait(self.server.seconds)
        prompt = body["messages"][-1]["content"]
        grades = self.path.startswith("/grader")
        content = self.server.grade(prompt) if grades else self.server.answer
        self._send({"choices": [{"message": {"content": content}}]})

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


def test_a_grader_grades_beside_other_metrics_and_is_asked_once(
    server: FakeServer, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(GRADED)
    kept = ("--grader-replies", str(tmp_path / "replies.json"))
    options = ("--agent", url_of(server), "--grader", url_of(server, "/grader/v1"), "--json")

    first, again = (json.loads(evaluate(suite, *options, *kept).stdout) for _ in range(2))

    assert first["passed"] is True
    assert [each["quality"] for each in first["results"]] == [1.0, 0.0]
    grading = first["grading"]
    assert (grading["graded"], grading["ungraded"], grading["requests"]) == (2, 0, 4)
    assert (grading["noise"], grading["agreement"]["kappa"]) == (0.0, 1.0)
    assert (again["grading"]["requests"], again["grading"]["from_cache"]) == (0, 4)
    assert again["results"][0]["quality"] == 1.0


def test_answers_that_a_grader_fails_to_grade_are_unscored_and_never_zero(
    server: FakeServer, suite: Path
) -> None:
    suite.write_text(GRADED)
    server.grade = lambda prompt: "I like it"
    options = ("--agent", url_of(server), "--grader", url_of(server, "/grader/v1"), "--json")

    result = evaluate(suite, *options)

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["grading"]["graded"], report["grading"]["ungraded"]) == (0, 2)
    assert report["grading"]["invalid_replies"] == 4
    assert "response_quality was not measured" in report["reasons"][0]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (GRADED, (), "name the endpoint of a model with --grader"),
        (SUITE, ("--grader", "http://127.0.0.1:9"), "--grader: the suite has no `grading`"),
    ],
)
def test_a_grader_without_a_rubric_or_the_reverse_exits_with_2(
    server: FakeServer, suite: Path, text: str, options: tuple[str, ...], message: str
) -> None:
    suite.write_text(text)

    result = evaluate(suite, "--agent", url_of(server), *options)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_what_moved_since_an_earlier_report_is_shown(
    server: FakeServer, suite: Path, tmp_path: Path
) -> None:
    before, page = tmp_path / "before.json", tmp_path / "page.html"
    server.answer = "b"
    before.write_text(evaluate(suite, "--agent", url_of(server), "--json").stdout)
    server.answer = "a"

    result = evaluate(
        suite, "--agent", url_of(server), "--before", str(before), "--html", str(page)
    )

    assert result.exit_code == 0, result.output
    assert "2 corrected, 0 broken" in result.output
    assert "2 answers corrected, 0 broken" in page.read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("{}", "is no report"), ("other", "is of suite replies, not")],
)
def test_an_earlier_report_that_does_not_fit_exits_with_2(
    server: FakeServer, suite: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    before = tmp_path / "before.json"
    if content == "other":
        options = ("--agent", url_of(server), "--grader", url_of(server, "/grader/v1"))
        other = tmp_path / "other.yaml"
        other.write_text(GRADED)
        content = evaluate(other, *options, "--json").stdout
    if content is not None:
        before.write_text(content)

    result = evaluate(suite, "--agent", url_of(server), "--before", str(before))

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


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
