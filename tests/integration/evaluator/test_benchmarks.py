"""Benchmarks and validations as leased work, with real child processes and tiny models."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.commands import (
    CancelBenchmark,
    MetricThreshold,
    RunBenchmark,
    SuiteToBenchmark,
    VersionToBenchmark,
)
from archon_contracts.events import (
    BenchmarkCompleted,
    BenchmarkFailed,
    BenchmarkMode,
    BenchmarkProgressed,
)
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from services.evaluator.benchmarks.child import BENCHMARK_ENTRY, run
from services.evaluator.benchmarks.worker import BenchmarkWorker
from services.evaluator.domain import GraderEndpoint
from services.evaluator.errors import SuiteInvalid
from services.evaluator.service import BENCHMARK_KIND, EvaluatorService
from services.evaluator.store import EvaluationStore
from services.evaluator.suites.answers import Answer
from shared.errors import ChildFailed
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of, until_over
from tests.support.messaging.working import working
from tests.support.training.tampering import flip_a_bit
from tests.support.training.tiny_models import stubborn_classifier

ITEMS = [
    {"id": str(number), "input": f"item {number}", "target": "ab"[number % 4 == 0]}
    for number in range(12)
]


class InProcess:
    """The child's code in a thread of this process: a process of its own imports torch for 5 s.

    One test here runs the real pool.
    """

    async def run(
        self, entry: str, spec: dict[str, Any], on_report: Callable[[dict[str, Any]], Any]
    ) -> dict[str, Any]:
        assert entry == BENCHMARK_ENTRY
        reports: list[dict[str, Any]] = []
        try:
            found = await asyncio.to_thread(run, spec, reports.append)
        except SuiteInvalid as error:
            raise ChildFailed(str(error), type(error).__name__) from error
        for each in reports:
            await on_report(each)
        return found


@dataclass(frozen=True, slots=True)
class BenchmarkHarness:
    """The evaluator without Kafka, two versions and a suite: version 1 is right in 9 of 12."""

    shared: ServiceContext
    models: dict[str, ArtifactRef]
    items: ArtifactRef

    async def run(
        self,
        command: RunBenchmark,
        children: Any = None,
        grader: GraderEndpoint | None = None,
        over: int = 1,
    ) -> list[Any]:
        """Take the command as the router would; the events that follow."""
        service = EvaluatorService(EvaluationStore(), self.shared.work, self.shared.outbox)
        handler = BenchmarkWorker(
            children=children or InProcess(),
            artifacts=self.shared.artifacts,
            queue=self.shared.work,
            outbox=self.shared.outbox,
            clock=self.shared.clock,
            threads=1,
            replies=EvaluationStore(),
            grader=grader,
        )
        async with working(self.shared.worker({BENCHMARK_KIND: handler})):
            await self.shared.inbox.run_once(message_of(command), service.accept_benchmark)
            await until_over(self.shared.database, over)
        return await events_of(self.shared.database)

    def command(self, *versions: str, **fields: Any) -> RunBenchmark:
        values = {
            "benchmark_id": new_id(),
            "agent_id": "answers",
            "kind": AgentKind.CLASSIFIER,
            "suites": (SuiteToBenchmark(name="held-out", items=self.items),),
            "versions": tuple(
                VersionToBenchmark(model=ModelRef(version=each, artifact=self.models[each]))
                for each in versions
            ),
        }
        return RunBenchmark(**(values | fields))


@pytest.fixture
async def evaluator(database_url: str, tmp_path: Path) -> AsyncIterator[BenchmarkHarness]:
    settings = probe_settings(
        database_url, service="evaluator", artifacts_url=f"file://{tmp_path}/artifacts"
    )
    folders = await asyncio.to_thread(
        lambda: {v: stubborn_classifier(tmp_path / v, a) for v, a in (("1", "a"), ("2", "b"))}
    )
    lines = "".join(json.dumps(item) + "\n" for item in ITEMS)
    async with open_service_context(settings) as shared:
        models = {v: await shared.artifacts.publish(folder) for v, folder in folders.items()}
        items = await shared.artifacts.publish_files({"items.jsonl": lines.encode()})
        yield BenchmarkHarness(shared, models, items)


async def test_versions_are_run_side_by_side_with_reports(
    evaluator: BenchmarkHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.evaluator.benchmarks.worker.PROGRESS_PERIOD", timedelta(0))
    limit = MetricThreshold(metric="accuracy", at_least=0.7)

    pool = ChildPool(warm_up_modules=[], threads=1, telemetry=evaluator.shared.telemetry)
    command = evaluator.command("1", "2", thresholds=(limit,))

    *progress, event = await evaluator.run(command, pool)

    assert isinstance(event, BenchmarkCompleted)
    assert [(each.version, each.passed) for each in event.results] == [("1", True), ("2", False)]
    assert event.passed is False
    assert event.reasons[0].startswith("version 2, held-out: accuracy is 0.25")
    accuracy = next(d for d in event.differences if (d.metric, d.group) == ("accuracy", "all"))
    assert (accuracy.version, accuracy.control) == ("2", "1")
    assert accuracy.difference.value == pytest.approx(-0.5)
    assert event.reports is not None
    report = await evaluator.shared.artifacts.read(event.reports, event.results[0].report_file)
    assert json.loads(report)["passed"] is True
    page = await evaluator.shared.artifacts.read(event.reports, "version-2-suite-1.html")
    assert b"not passed" in page
    moves = json.loads(
        await evaluator.shared.artifacts.read(event.reports, "version-2-suite-1.json")
    )
    assert moves["products"]["moves"]["since"] == "1"
    assert (moves["products"]["moves"]["corrected"], moves["products"]["moves"]["broken"]) == (3, 9)
    assert len(moves["products"]["explanations"]) == 5
    assert all(isinstance(each, BenchmarkProgressed) for each in progress)
    assert [each.total for each in progress[:1]] == [24]
    assert len({each.answered for each in progress}) > 1


async def test_a_good_version_is_valid(evaluator: BenchmarkHarness) -> None:
    command = evaluator.command(
        "1",
        mode=BenchmarkMode.VALIDATION,
        golden_ids=("1", "2"),
        thresholds=(MetricThreshold(metric="accuracy", at_least=0.7),),
        latency_limit_seconds=30.0,
    )

    event = (await evaluator.run(command))[-1]

    assert isinstance(event, BenchmarkCompleted)
    assert {each.name: each.passed for each in event.checks} == {
        "verified": True, "loads": True, "golden items": True, "metrics": True, "safety": True,
        "latency": True,
    }  # fmt: skip
    assert event.passed
    assert event.reasons == ("6 checks hold",)


async def test_a_bad_version_is_refused_with_each_reason(evaluator: BenchmarkHarness) -> None:
    command = evaluator.command(
        "2",
        mode=BenchmarkMode.VALIDATION,
        golden=evaluator.items,
        thresholds=(MetricThreshold(metric="accuracy", at_least=0.7),),
        latency_limit_seconds=1e-9,
    )

    event = (await evaluator.run(command))[-1]

    assert isinstance(event, BenchmarkCompleted)
    assert not event.passed
    assert [reason.split(":")[0] for reason in event.reasons] == [
        "golden items", "metrics", "latency",
    ]  # fmt: skip


async def test_a_changed_artifact_is_no_valid_version(evaluator: BenchmarkHarness) -> None:
    flip_a_bit(evaluator.models["1"], "archon.json")

    event = (await evaluator.run(evaluator.command("1", mode=BenchmarkMode.VALIDATION)))[-1]

    assert isinstance(event, BenchmarkCompleted)
    assert not event.passed
    assert event.reasons[0].startswith("verified: ")
    assert event.reports is None


async def test_a_version_that_does_not_load_is_not_valid(evaluator: BenchmarkHarness) -> None:
    empty = await evaluator.shared.artifacts.publish_files({"archon.json": b"{}"})
    evaluator.models["0"] = empty

    event = (await evaluator.run(evaluator.command("0", mode=BenchmarkMode.VALIDATION)))[-1]

    assert isinstance(event, BenchmarkCompleted)
    assert [each.name for each in event.checks if each.passed is False] == ["loads"]


@pytest.mark.parametrize("threshold", ["acuracy"])
async def test_a_benchmark_that_cannot_be_run_says_why(
    evaluator: BenchmarkHarness, threshold: str
) -> None:
    limit = MetricThreshold(metric=threshold, at_least=0.7)

    event = (await evaluator.run(evaluator.command("1", thresholds=(limit,))))[-1]

    assert isinstance(event, BenchmarkFailed)
    assert (event.error_type, event.retryable) == ("SuiteInvalid", False)
    assert "there is no metric 'acuracy'" in event.reason


class Hanging:
    """A child that answers nothing until it is ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = False

    async def run(self, *_arguments: Any) -> dict[str, Any]:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True
        raise AssertionError("never reached")


async def test_a_benchmark_that_runs_can_be_cancelled(evaluator: BenchmarkHarness) -> None:
    command, children = evaluator.command("1"), Hanging()
    cancel = CancelBenchmark(
        benchmark_id=command.benchmark_id,
        agent_id=command.agent_id,
        reason="wrong suite",
        requested_by="ann",
    )
    service = EvaluatorService(EvaluationStore(), evaluator.shared.work, evaluator.shared.outbox)

    running = asyncio.create_task(evaluator.run(command, children))
    await children.begun.wait()
    message = message_of(cancel)
    await evaluator.shared.inbox.run_once(message, service.cancel_benchmark)
    (event,) = await running

    await eventually(lambda: children.ended, timeout=10)
    assert isinstance(event, BenchmarkFailed)
    assert (event.error_type, event.retryable) == ("Cancelled", False)
    assert event.reason == "cancelled by ann: wrong suite"


async def test_the_end_of_a_benchmark_is_not_cancelled(evaluator: BenchmarkHarness) -> None:
    command = evaluator.command("1")
    await evaluator.run(command)
    service = EvaluatorService(EvaluationStore(), evaluator.shared.work, evaluator.shared.outbox)
    cancel = CancelBenchmark(benchmark_id=command.benchmark_id, agent_id=command.agent_id)

    await evaluator.shared.inbox.run_once(message_of(cancel), service.cancel_benchmark)

    assert isinstance((await events_of(evaluator.shared.database))[-1], BenchmarkCompleted)


GRADED = """
suite: graded
cases: [{id: one, input: item 1, target: a}]
grading: {rubric: the answer is short, repeats: 1}
"""


class CountingGrader:
    """Grades every answer with 4, and counts how often it is asked."""

    name = "grader"

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, inputs: Sequence[str], progress: Callable[[int], None]) -> list[Answer]:
        self.asked += len(inputs)
        return [Answer(output='{"score": 4, "reason": "short"}') for _ in inputs]

    def explain(self, case_id: str, text: str, output: str) -> None:
        """Nothing."""


async def test_what_a_grader_replied_to_one_tenant_is_kept_for_that_tenant_alone(
    evaluator: BenchmarkHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CountingGrader()
    monkeypatch.setattr(
        "services.evaluator.suites.grading.grader.build_endpoint", lambda *options: model
    )
    items = await evaluator.shared.artifacts.publish_files({"suite.yaml": GRADED.encode()})
    asked, qualities = [], []

    for number, tenant in enumerate(("first", "first", "second"), start=1):
        suites = (SuiteToBenchmark(name="graded", items=items),)
        command = evaluator.command("1", tenant_id=tenant, suites=suites)
        endpoint = GraderEndpoint("http://127.0.0.1:9/v1")
        event = (await evaluator.run(command, grader=endpoint, over=number))[-1]
        asked.append(model.asked)
        (result,) = event.results
        qualities += [m.estimate.value for m in result.metrics if m.name == "response_quality"]

    assert asked == [1, 1, 2]
    assert qualities == [0.75] * 3
