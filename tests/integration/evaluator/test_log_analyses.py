"""Log analyses as leased work, with a tiny encoder: clusters, progress, and what cannot be read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.commands import AnalyzeInteractions, LogAnalysisPlan
from archon_contracts.events import LogAnalysisFailed, LogAnalysisProgressed, LogsAnalyzed
from archon_contracts.formats import LOG_FILE, TRAIN_FILE, LogRecord, TrainingItem, to_jsonl
from archon_contracts.identifiers import new_id
from archon_contracts.values import ArtifactRef
from services.evaluator.errors import NothingToAnalyse
from services.evaluator.log_analysis.child import ANALYSIS_ENTRY, run
from services.evaluator.log_analysis.worker import LogAnalysisWorker
from services.evaluator.service import ANALYSIS_KIND, EvaluatorService
from services.evaluator.store import EvaluationStore
from shared.errors import ChildFailed
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import NOON, message_of
from tests.support.messaging.stored import events_of, until_over
from tests.support.messaging.working import working
from tests.support.training.tiny_models import WORDS, tiny_encoder

WELL, WRONG, TRAINED = "play music artist", "book hotel room", "weather forecast"


class AnalysisInProcess:
    """The child's code in a thread of this process: a process of its own imports torch for 5 s."""

    async def run(
        self, entry: str, spec: dict[str, Any], on_report: Callable[[dict[str, Any]], Any]
    ) -> dict[str, Any]:
        assert entry == ANALYSIS_ENTRY
        reports: list[dict[str, Any]] = []
        try:
            found = await asyncio.to_thread(run, spec, reports.append)
        except NothingToAnalyse as error:
            raise ChildFailed(str(error), type(error).__name__) from error
        for each in reports:
            await on_report(each)
        return found


def log_lines() -> bytes:
    """60 interactions that went well, and 12 about hotels that were corrected late."""
    at = [NOON + timedelta(minutes=n) for n in range(72)]
    well = [
        LogRecord(
            interaction_id=f"w{n}",
            at=at[n],
            request=f"{WELL} {WORDS[n % 40]}",
            answer="play",
            latency_seconds=0.1 + n / 1000,
            input_tokens=5,
        )
        for n in range(60)
    ]
    wrong = [
        LogRecord(
            kind="feedback",
            interaction_id=f"f{n}",
            at=at[60 + n],
            request=f"{WRONG} {WORDS[n]}",
            answer="play",
            correction="book",
        )
        for n in range(12)
    ]
    return to_jsonl([*well, *wrong])


@dataclass(frozen=True, slots=True)
class AnalysisHarness:
    """The evaluator without Kafka, with a log and the data of the deployed version."""

    shared: ServiceContext
    plan: LogAnalysisPlan

    async def run(self, records: ArtifactRef, plan: LogAnalysisPlan) -> list[Any]:
        """Take the command as the router would; the events that follow."""
        handler = LogAnalysisWorker(
            children=AnalysisInProcess(),  # type: ignore[arg-type]  # its one method
            artifacts=self.shared.artifacts,
            queue=self.shared.work,
            outbox=self.shared.outbox,
            clock=self.shared.clock,
            threads=1,
        )
        service = EvaluatorService(EvaluationStore(), self.shared.work, self.shared.outbox)
        command = AnalyzeInteractions(
            analysis_id=new_id(), agent_id="answers", records=records, plan=plan
        )
        async with working(self.shared.worker({ANALYSIS_KIND: handler})):
            await self.shared.inbox.run_once(message_of(command), service.accept_analysis)
            await until_over(self.shared.database)
        return await events_of(self.shared.database)


@pytest.fixture
async def evaluator(database_url: str, tmp_path: Path) -> AsyncIterator[AnalysisHarness]:
    settings = probe_settings(
        database_url, service="evaluator", artifacts_url=f"file://{tmp_path}/artifacts"
    )
    encoder = await asyncio.to_thread(tiny_encoder, tmp_path / "encoder")
    items = [TrainingItem(input=f"{TRAINED} {WORDS[n % 40]}", target="t") for n in range(60)]
    async with open_service_context(settings) as shared:
        reference = await shared.artifacts.publish_files({TRAIN_FILE: to_jsonl(items)})
        plan = LogAnalysisPlan(
            kind="classifier",
            encoder=f"file://{encoder}",
            method="continual",
            reference=reference,
            trained_version="1.0.0",
        )
        yield AnalysisHarness(shared, plan)


async def test_a_topic_of_failures_and_drift_are_found_with_what_to_do(
    evaluator: AnalysisHarness,
) -> None:
    records = await evaluator.shared.artifacts.publish_files({LOG_FILE: log_lines()})

    *progress, event = await evaluator.run(records, evaluator.plan)

    assert [type(each) for each in progress] == [LogAnalysisProgressed] * 3
    assert isinstance(event, LogsAnalyzed)
    assert (event.figures.interactions, event.figures.failures) == (72, 12)
    assert event.drift is not None
    assert event.drift.drifted
    assert event.drift.trained_version == "1.0.0"
    assert event.cost is not None
    assert (event.cost.interactions, event.cost.input_tokens, event.cost.cost) == (60, 300, None)
    retrain = event.suggestions[0]
    assert (retrain.path, retrain.body["agent_id"]) == ("/v1/jobs", "answers")
    found = sum(each.size for each in event.clusters)
    assert found + event.figures.unclustered == 12
    assert all("hotel" in each.evidence[0].text for each in event.clusters)


async def test_without_training_data_drift_is_not_tested_and_the_rest_is(
    evaluator: AnalysisHarness,
) -> None:
    gone = ArtifactRef(
        uri=evaluator.plan.reference.uri.replace(evaluator.plan.reference.digest, "0" * 64),
        digest="0" * 64,
    )
    plan = evaluator.plan.model_copy(update={"reference": gone})
    records = await evaluator.shared.artifacts.publish_files({LOG_FILE: log_lines()})

    *_, event = await evaluator.run(records, plan)

    assert isinstance(event, LogsAnalyzed)
    assert event.drift is None
    assert "not known" in event.drift_untested
    assert event.figures.interactions == 72


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'{"interaction_id": 1}\n', "at"), (b"oops\n", "cannot be read"), (b"\n", "no interaction")],
)
async def test_a_log_that_cannot_be_read_fails_for_good(
    evaluator: AnalysisHarness, content: bytes, reason: str
) -> None:
    records = await evaluator.shared.artifacts.publish_files({LOG_FILE: content})

    (event,) = await evaluator.run(records, evaluator.plan)

    assert isinstance(event, LogAnalysisFailed)
    assert (event.error_type, event.retryable) == ("NothingToAnalyse", False)
    assert reason in event.reason
