"""benchmarkAgent and validateModel start work; what comes of it is shown."""

from typing import Any
from uuid import UUID

import pytest

from archon_contracts.commands import CancelBenchmark, RunBenchmark
from archon_contracts.events import (
    BenchmarkCompleted,
    BenchmarkedSuite,
    BenchmarkFailed,
    BenchmarkMode,
    BenchmarkProgressed,
    FeedbackCounted,
    FeedbackCounts,
)
from archon_contracts.topics import EVALUATOR_COMMANDS
from tests.support.eventually import eventually
from tests.support.gateway.events import NOON, deployed, is_answered
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUITE_ITEMS = [{"id": "1", "input": "hello", "target": "greet"}]
FUNCTION = "/v1/functions/benchmarkAgent"


async def prepare(gateway: ServedGateway, agent: str) -> str:
    """An agent with a deployed version, and a suite; returns the suite's name."""
    await gateway.configure_agent(agent)
    await gateway.publish(deployed(agent, "1.0.0"))
    await eventually(lambda: is_answered(gateway, f"/v1/agents/{agent}/models/1.0.0"))
    suite = f"suite-{agent}"
    upload = {"name": suite, "purpose": "evaluation", "items": SUITE_ITEMS}
    answer = await gateway.http.post("/v1/datasets", json=upload)
    assert answer.status_code == 201, answer.text
    return suite


async def start(gateway: ServedGateway, agent: str, function: str = FUNCTION, **body: Any) -> Any:
    answer = await gateway.http.post(function, json={"agentId": agent, **body})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def command_of(gateway: ServedGateway, benchmark: str) -> RunBenchmark:
    """The command that was sent for a benchmark."""
    found: list[RunBenchmark] = []

    async def sent() -> None:
        records = await gateway.records(EVALUATOR_COMMANDS, benchmark.encode())
        assert records
        found.append(RunBenchmark.model_validate_json(records[0].value))

    await eventually(sent)
    return found[0]


async def test_a_benchmark_is_sent_shown_and_read(gateway: ServedGateway, name: str) -> None:
    suite = await prepare(gateway, name)
    counts = FeedbackCounts(hour=NOON, model_version="1.0.0", feedback=4, corrected=1)
    await gateway.publish(FeedbackCounted(agent_id=name, counts=(counts, counts)))
    limits = [{"metric": "accuracy", "atLeast": 0.9}]

    async def counted() -> None:
        started = await start(gateway, name, suites=[suite], thresholds=limits, repeats=2)
        command = await command_of(gateway, started["benchmarkId"])
        assert command.versions[0].feedback is not None
        assert (command.versions[0].feedback.feedback, command.repeats) == (8, 2)
        assert (command.suites[0].name, command.thresholds[0].at_least) == (suite, 0.9)

    await eventually(counted)
    started = await start(gateway, name, suites=[suite])
    assert (await gateway.get(started["result"]))["state"] == "requested"
    benchmark = {"agent_id": name, "benchmark_id": UUID(started["benchmarkId"])}
    ran = {"model_version": "1.0.0", "suite": suite, "total": 9}
    late = BenchmarkProgressed(**benchmark, **ran, answered=2)
    await gateway.publish(BenchmarkProgressed(**benchmark, **ran, answered=5), late)

    async def running() -> None:
        found = await gateway.get(started["result"])
        assert found["state"] == "running"
        assert found["progress"]["answered"] == 5

    await eventually(running)
    await publish_result(gateway, benchmark, suite, late)

    async def completed() -> None:
        found = await gateway.get(started["result"])
        assert found["state"] == "completed"
        assert found["progress"]["answered"] == 5
        assert found["result"]["reasons"] == ["all well"]

    await eventually(completed)
    answers = [
        await gateway.http.get(f"{started['result']}/reports/version-1-suite-{file}")
        for file in ("1.json", "1.html", "2.json")
    ]
    assert [each.status_code for each in answers] == [200, 200, 404]
    assert answers[1].headers["content-type"].startswith("text/html")
    assert answers[1].headers["content-security-policy"].startswith("sandbox")


async def publish_result(
    gateway: ServedGateway, benchmark: dict[str, Any], suite: str, late: BenchmarkProgressed
) -> None:
    """The evaluator's result, with its reports, and an event that arrives too late."""
    artifacts = gateway.application.service_context.artifacts
    reports = await artifacts.publish_files(
        {"version-1-suite-1.json": b"{}", "version-1-suite-1.html": b"<p>"}
    )
    result = BenchmarkedSuite(
        version="1.0.0", suite=suite, passed=True, reasons=("well",), answers=9, metrics=(),
        seconds=1.0, report_file="version-1-suite-1.json",
    )  # fmt: skip
    completed = BenchmarkCompleted(
        **benchmark, mode=BenchmarkMode.BENCHMARK, passed=True, reasons=("all well",),
        results=(result,), reports=reports, duration_seconds=1.0,
    )  # fmt: skip
    await gateway.publish(completed, late)


async def test_a_validation_names_its_checks_and_shows_a_failure(
    gateway: ServedGateway, name: str
) -> None:
    suite = await prepare(gateway, name)

    started = await start(
        gateway, name, "/v1/functions/validateModel", golden=suite, latencyLimitSeconds=0.05
    )
    command = await command_of(gateway, started["benchmarkId"])
    failed = BenchmarkFailed(
        agent_id=name, benchmark_id=command.benchmark_id, error_type="ChildCrashed",
        reason="killed", retryable=True,
    )  # fmt: skip
    await gateway.publish(failed)

    assert command.mode is BenchmarkMode.VALIDATION
    assert (command.latency_limit_seconds, command.golden is not None) == (0.05, True)
    # What is stored is answered at once, too.
    assert {each["name"] for each in started["checks"]} >= {"evaluated", "integrity"}

    async def shown() -> None:
        found = await gateway.get(started["result"])
        assert found["state"] == "failed"
        assert found["failure"]["reason"] == "killed"

    await eventually(shown)


async def test_a_benchmark_is_cancelled_until_it_has_ended(
    gateway: ServedGateway, name: str
) -> None:
    started = await start(gateway, name, suites=[await prepare(gateway, name)])
    path, benchmark = started["result"], started["benchmarkId"]

    answer = await gateway.http.post(f"{path}/cancel", json={"reason": "wrong suite"})

    assert answer.status_code == 202, answer.text

    async def sent() -> None:
        commands = await gateway.records(EVALUATOR_COMMANDS, benchmark.encode())
        cancel = CancelBenchmark.model_validate_json(commands[1].value)
        assert (cancel.agent_id, cancel.reason) == (name, "wrong suite")

    await eventually(sent)
    cancelled = BenchmarkFailed(
        agent_id=name, benchmark_id=benchmark, error_type="Cancelled",
        reason="cancelled: wrong suite", retryable=False,
    )  # fmt: skip
    await gateway.publish(cancelled)

    async def shown() -> None:
        assert (await gateway.get(path))["state"] == "cancelled"

    await eventually(shown)
    again = await gateway.http.post(f"{path}/cancel", json={})
    assert again.status_code == 409, again.text


async def test_the_same_request_again_is_the_same_benchmark(
    gateway: ServedGateway, name: str
) -> None:
    suite = await prepare(gateway, name)
    body, headers = {"agentId": name, "suites": [suite]}, {"Idempotency-Key": name}

    answers = [await gateway.http.post(FUNCTION, json=body, headers=headers) for _ in range(2)]

    assert len({each.json()["benchmarkId"] for each in answers}) == 1


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 422, "has no evaluation suite; name a dataset"),
        ({"suites": ["nothing"]}, 404, "nothing"),
        ({"versions": ["9.9.9"]}, 404, "9.9.9"),
        ({"thresholds": [{"metric": "accuracy"}]}, 422, "needs atLeast or atMost"),
        ({"run": False}, 404, "evaluated version"),
        ({"repeats": 0}, 422, "repeats"),
    ],
)
async def test_what_cannot_be_run_is_refused_with_its_field(
    gateway: ServedGateway, name: str, body: dict[str, Any], status: int, text: str
) -> None:
    await prepare(gateway, name)

    answer = await gateway.http.post(FUNCTION, json={"agentId": name, **body})

    assert answer.status_code == status
    assert text in answer.text


async def test_a_key_that_only_reads_runs_nothing(gateway: ServedGateway, name: str) -> None:
    suite = await prepare(gateway, name)
    made = await gateway.http.post("/v1/keys", json={"name": name, "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {made.json()['key']}"}

    answers = [
        await gateway.http.post(
            f"/v1/functions/{function}",
            json={"agentId": name, "suites": [suite]} | more,
            headers=headers,
        )
        for function, more in (
            ("benchmarkAgent", {}), ("validateModel", {}), ("validateModel", {"run": False}),
        )
    ]  # fmt: skip

    assert [each.status_code for each in answers] == [403, 403, 200]
    assert "benchmarkId" not in answers[2].json() or answers[2].json()["benchmarkId"] is None
