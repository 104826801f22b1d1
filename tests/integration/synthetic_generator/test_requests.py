"""Requests for synthetic data on a real database and artifact store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from archon_contracts.commands import (
    CancelSyntheticData,
    DataSource,
    GenerateSyntheticData,
    SourceKind,
)
from archon_contracts.events import (
    SyntheticDataCancelled,
    SyntheticDataGenerated,
    SyntheticDataProgressed,
)
from services.synthetic_generator.child import (
    FORK_SERVER_MODULES,
    SegmentReporter,
    build_request,
)
from services.synthetic_generator.generation import generate
from services.synthetic_generator.service import GENERATE, GeneratorService
from services.synthetic_generator.store import GeneratorStore
from services.synthetic_generator.worker import GenerateWorker
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from tests.support.data.data_preparation import jsonl
from tests.support.data.datasets import REF
from tests.support.data.synthetic_generator import EXAMPLES, generate_synthetic_data
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of
from tests.support.messaging.working import working


class RunningGenerator:
    """The real service and its worker."""

    def __init__(self, shared: ServiceContext, *, deadline_seconds: float = 30.0) -> None:
        self.shared = shared
        store = GeneratorStore()
        self.service = GeneratorService(store, shared.outbox, shared.work)
        worker = GenerateWorker(
            service=self.service,
            store=store,
            queue=shared.work,
            artifacts=shared.artifacts,
            children=ChildPool(
                warm_up_modules=FORK_SERVER_MODULES, threads=1, telemetry=shared.telemetry
            ),
            deadline_seconds=deadline_seconds,
        )
        self.worker = shared.worker({GENERATE: worker})

    async def answers(self, *requests: GenerateSyntheticData) -> list[SyntheticDataGenerated]:
        """Carry the requests out one after the other; all answers."""
        async with working(self.worker):
            for number, request in enumerate(requests, start=1):
                message = message_of(request)
                await self.shared.inbox.run_once(message, self.service.accept_request)
                await eventually(lambda wanted=number: self._is_published(wanted), timeout=30)
        events = await events_of(self.shared.database)
        return [event for event in events if isinstance(event, SyntheticDataGenerated)]

    async def _is_published(self, count: int) -> bool:
        made = [
            event
            for event in await events_of(self.shared.database)
            if isinstance(event, SyntheticDataGenerated)
        ]
        return len(made) == count


@pytest.fixture
async def generator(database_url: str, tmp_path: Path) -> AsyncIterator[RunningGenerator]:
    settings = probe_settings(
        database_url, service="synthetic_generator", artifacts_url=f"file://{tmp_path}/artifacts"
    )
    async with open_service_context(settings) as shared:
        yield RunningGenerator(shared)


async def test_a_request_is_answered_with_items_and_a_report(generator: RunningGenerator) -> None:
    (answer,) = await generator.answers(generate_synthetic_data(count=25, edge_cases=True))

    items = await generator.shared.artifacts.read(answer.artifact, "items.jsonl")
    report = await generator.shared.artifacts.read(answer.artifact, "report.json")
    assert answer.items == len(items.splitlines()) == orjson.loads(report)["generated"] == 25


async def test_the_same_request_twice_gives_the_same_answer(generator: RunningGenerator) -> None:
    request = generate_synthetic_data()

    first, second = await generator.answers(request, request)

    assert first == second


async def test_equal_requests_of_two_requests_give_equal_files(generator: RunningGenerator) -> None:
    first, second = await generator.answers(generate_synthetic_data(), generate_synthetic_data())

    assert first.artifact == second.artifact


async def test_real_examples_are_varied(generator: RunningGenerator) -> None:
    lines = jsonl([{"input": sample.input, "target": sample.target} for sample in EXAMPLES])
    artifact = await generator.shared.artifacts.publish_files({"items.jsonl": lines})
    source = DataSource(kind=SourceKind.HISTORICAL, artifact=artifact, items=len(EXAMPLES))

    (answer,) = await generator.answers(generate_synthetic_data(examples=source))

    items = await generator.shared.artifacts.read(answer.artifact, "items.jsonl")
    targets = {orjson.loads(line)["target"] for line in items.splitlines()}
    assert targets == {"restaurant", "hotel", "train"}


async def test_missing_examples_are_answered_with_the_reason(generator: RunningGenerator) -> None:
    source = DataSource(kind=SourceKind.HISTORICAL, artifact=REF, items=1)

    (answer,) = await generator.answers(generate_synthetic_data(examples=source))

    assert (answer.items, answer.rejected) == (0, {f"there is no artifact at {REF.uri}": 20})


async def test_an_unknown_scenario_is_answered_with_the_reason(generator: RunningGenerator) -> None:
    (answer,) = await generator.answers(generate_synthetic_data(scenario_type="astronomy"))

    assert answer.rejected == {"no_template_and_no_examples": 20}


async def test_a_request_that_takes_too_long_is_ended_and_answered_with_the_reason(
    database_url: str, tmp_path: Path
) -> None:
    settings = probe_settings(
        database_url, service="synthetic_generator", artifacts_url=f"file://{tmp_path}/artifacts"
    )
    async with open_service_context(settings) as shared:
        generator = RunningGenerator(shared, deadline_seconds=0.001)

        (answer,) = await generator.answers(generate_synthetic_data(count=20))

    (reason,) = answer.rejected
    assert (answer.items, answer.rejected[reason]) == (0, 20)
    assert "ARCHON_SYNTHETIC_GENERATOR_DEADLINE_SECONDS" in reason


async def test_a_killed_generation_goes_on_from_what_it_had_made(
    generator: RunningGenerator,
) -> None:
    request, other = generate_synthetic_data(count=300), generate_synthetic_data(count=300)
    segments: list[dict[str, Any]] = []
    reporter = SegmentReporter(segments.append, until=0.0, seconds=0.0)
    generate(build_request(request), (), on_round=reporter.on_round)
    async with generator.shared.database.transaction(request.tenant_id) as tx:
        cause = message_of(request).cause
        await generator.service.record_progress(tx, request, segments[0], cause)

    await generator.answers(request, other)

    events = await events_of(generator.shared.database)
    made = [each for each in events if isinstance(each, SyntheticDataGenerated)]
    progress = [each for each in events if isinstance(each, SyntheticDataProgressed)]
    assert made[0].artifact == made[1].artifact
    assert (progress[0].accepted, progress[0].candidates) == (segments[0]["accepted"], 256)
    async with generator.shared.database.transaction(request.tenant_id) as tx:
        store = GeneratorStore()
        assert await store.find_segments(tx, request.tenant_id, request.request_id) == []


async def test_a_cancelled_request_is_never_carried_out(generator: RunningGenerator) -> None:
    request = generate_synthetic_data()
    inbox, service = generator.shared.inbox, generator.service
    await inbox.run_once(message_of(request), service.accept_request)
    cancel = CancelSyntheticData(
        agent_id=request.agent_id, request_id=request.request_id, reason="not needed"
    )
    await inbox.run_once(message_of(cancel), service.cancel_request)

    await generator.answers(other := generate_synthetic_data(count=5))

    cancelled, made = await events_of(generator.shared.database)
    assert isinstance(cancelled, SyntheticDataCancelled)
    assert (cancelled.request_id, made.request_id) == (request.request_id, other.request_id)


async def test_replies_of_a_language_model_are_kept_by_tenant(generator: RunningGenerator) -> None:
    store, key = GeneratorStore(), "a" * 64
    async with generator.shared.database.transaction("acme") as tx:
        await store.insert_llm_replies(tx, "acme", {key: "a quiet room"})
        await store.insert_llm_replies(tx, "acme", {key: "another one"})

        assert await store.find_llm_replies(tx, "acme") == {key: "a quiet room"}
        assert await store.find_llm_replies(tx, "other") == {}
