"""The specification's functions."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from archon_contracts.commands import MetricThreshold
from archon_contracts.events import FeedbackCounts
from archon_contracts.values import ArtifactRef
from services.gateway.domain import Lineage, ModelView
from services.gateway.errors import Invalid, MalformedBody, NotFound
from services.gateway.functions.requests import (
    AdaptRequest,
    AnalyseRequest,
    BenchmarkRequest,
    GenerateRequest,
    ThresholdRequest,
    TrainAgentRequest,
    ValidateRequest,
)
from services.gateway.functions.service import (
    FunctionService,
    build_feedback_events,
    build_job_request,
)
from shared.artifacts.store import ArtifactStore
from tests.support.clocks import SetClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHARE = {"value": 0.75, "low": 0.7, "high": 0.8, "n": 200}
EVALUATION = {
    "passed": True,
    "reasons": ["better on all items"],
    "accuracy": {"candidate": {"all": SHARE}, "deployed": {"all": SHARE}},
    "latency_seconds": {"candidate": 0.01},
}


def model(ref: ArtifactRef, version: str = "1.0.0", **fields: object) -> ModelView:
    values = {
        "agent_id": "a",
        "version": version,
        "status": "deployed",
        "digest": ref.digest,
        "uri": ref.uri,
        "metrics": {},
        "lineage": Lineage(),
        "evaluation": EVALUATION,
    }
    return ModelView(**(values | fields))


class FakeFunctionStore:
    """A store in memory."""

    def __init__(self, *models: ModelView, hours: tuple[FeedbackCounts, ...] = ()) -> None:
        self._models, self._hours = models, hours

    async def has_agent(self, _tx: object, _tenant: str, agent_id: str) -> bool:
        return agent_id == "a"

    async def models(
        self, _tx: object, _tenant: str, _agent: str, *, version: str | None = None, limit: int = 9
    ) -> list[ModelView]:
        return [m for m in self._models if version in (None, m.version)][:limit]

    async def deployed_version(self, _tx: object, _tenant: str, _agent: str) -> str | None:
        return next((m.version for m in self._models if m.status == "deployed"), None)

    async def feedback_hours(self, *_: object) -> list[FeedbackCounts]:
        return list(self._hours)


async def published(folder: Path) -> tuple[ArtifactStore, ArtifactRef]:
    artifacts = ArtifactStore(folder.as_uri())
    return artifacts, await artifacts.publish_files({"model.safetensors": b"weights"})


def functions(store: FakeFunctionStore, artifacts: ArtifactStore) -> FunctionService:
    return FunctionService(store, artifacts, SetClock(NOON))


def test_the_longest_threshold_that_is_taken_can_be_sent() -> None:
    fields = {"metric": "m" * 500, "group": "g" * 500, "atLeast": 1.0, "of": "interval"}
    taken = ThresholdRequest.model_validate(fields)

    sent = MetricThreshold(**taken.model_dump())

    assert (sent.metric, sent.group, sent.at_least) == (taken.metric, taken.group, 1.0)


async def test_an_untouched_evaluated_model_is_valid(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)
    checked = functions(FakeFunctionStore(model(ref)), artifacts)

    found = await checked.model_to_validate(None, "t", ValidateRequest(agentId="a"))
    answer = await checked.validate_model(found)

    assert answer.valid
    assert [check.name for check in answer.checks] == ["evaluated", "gate", "integrity"]


def change_a_file(folder: Path) -> None:
    (weights,) = folder.rglob("model.safetensors")
    weights.chmod(0o644)
    weights.write_bytes(b"worse!!")


async def test_a_changed_file_makes_a_model_invalid(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)
    change_a_file(tmp_path)

    answer = await functions(FakeFunctionStore(), artifacts).validate_model(model(ref))

    assert not answer.valid
    assert [check.passed for check in answer.checks] == [True, True, False]


async def test_a_model_without_an_evaluation_is_invalid(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)

    answer = await functions(FakeFunctionStore(), artifacts).validate_model(
        model(ref, evaluation=None)
    )

    assert not answer.valid


async def test_without_a_deployed_version_nothing_is_validated(tmp_path: Path) -> None:
    artifacts, _ = await published(tmp_path)

    with pytest.raises(NotFound, match="deployed version"):
        await functions(FakeFunctionStore(), artifacts).model_to_validate(
            None, "t", ValidateRequest(agentId="a")
        )


async def test_a_benchmark_shows_stored_figures_side_by_side(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)
    store = FakeFunctionStore(model(ref, "1.1.0"), model(ref), model(ref, "0.9.0", evaluation=None))

    answer = await functions(store, artifacts).benchmark(None, "t", BenchmarkRequest(agentId="a"))

    assert [line.version for line in answer.versions] == ["1.1.0", "1.0.0"]
    assert answer.versions[0].accuracy == {"all": SHARE}
    assert answer.versions[0].compared_with == {"deployed": {"all": SHARE}}


async def test_an_agent_that_was_never_evaluated_has_no_benchmark(tmp_path: Path) -> None:
    artifacts, _ = await published(tmp_path)

    with pytest.raises(NotFound):
        await functions(FakeFunctionStore(), artifacts).benchmark(
            None, "t", BenchmarkRequest(agentId="a")
        )


async def test_logs_are_analysed_from_the_body_or_from_the_counters(tmp_path: Path) -> None:
    artifacts, _ = await published(tmp_path)
    analysed = functions(
        FakeFunctionStore(hours=(FeedbackCounts(hour=NOON, feedback=4, corrected=1),)), artifacts
    )

    counted = await analysed.analyse_logs(None, "t", AnalyseRequest(agentId="a"))
    given = await analysed.analyse_logs(
        None, "t", AnalyseRequest(agentId="a", logs=[{"rating": 2}, {"error": "timeout"}])
    )

    assert (counted.source, counted.corrected_proportion) == ("feedback", 0.25)
    assert (given.source, given.mean_rating, given.error_proportion) == ("logs", 2.0, 0.5)


def test_the_specifications_example_becomes_a_job() -> None:
    config = {
        "method": "supervised",
        "dataset": "training-data-v1",
        "epochs": 10,
        "batchSize": 32,
        "learningRate": 0.001,
        "validation": {"split": 0.15, "frequency": "epoch"},
    }

    request_body = build_job_request(TrainAgentRequest(agentId="agent-123", config=config))

    assert (request_body.agent_id, request_body.dataset) == ("agent-123", "training-data-v1")
    assert (request_body.config.epochs, request_body.config.batch_size) == (10, 32)
    assert (request_body.config.learning_rate, request_body.config.validation_split) == (
        0.001,
        0.15,
    )


def test_a_search_and_a_source_become_those_of_the_job() -> None:
    config = {
        "method": "transfer",
        "sourceAgent": "teacher",
        "sourceVersion": "1.0.0",
        "transferLayers": "gradual",
        "search": {"trials": 20, "seconds": 60},
    }

    request_body = build_job_request(TrainAgentRequest(agentId="a", config=config))

    assert (request_body.source_agent, request_body.source_version) == ("teacher", "1.0.0")
    assert request_body.config.transfer_layers == "gradual"
    assert (request_body.config.search_trials, request_body.config.search_seconds) == (20, 60)


@pytest.mark.parametrize(
    "config",
    [
        {"epochs": -1},
        {"learningRate": 7},
        {"epoch": 3},
        {"validation": {"splt": 0.1}},
        {"search": {}},
        {"search": {"trials": 0}},
        {"search": {"seconds": 99_999}},
    ],
)
def test_a_hyper_parameter_out_of_range_or_misspelt_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainAgentRequest(agentId="a", config={"method": "supervised", **config})


def test_items_to_adapt_to_become_feedback_with_ids_of_their_content() -> None:
    item = {"input": "q", "expected": "x", "actual": "y", "rating": 3}
    request_body = AdaptRequest(
        agentId="a", method="continual", feedback=[item, {**item, "rating": 4}]
    )

    first, second = build_feedback_events(request_body)

    assert (
        first.interaction_id
        == build_feedback_events(request_body)[0].interaction_id
        != second.interaction_id
    )
    assert (first.agent_id, first.expected, first.rating) == ("a", "x", 3)


def test_an_item_with_a_nul_character_is_refused() -> None:
    request_body = AdaptRequest(
        agentId="a", method="continual", feedback=[{"input": "nul \x00", "rating": 3}]
    )

    with pytest.raises(MalformedBody):
        build_feedback_events(request_body)


def test_an_item_that_cannot_be_feedback_is_named() -> None:
    request_body = AdaptRequest(
        agentId="a", method="continual", feedback=[{"input": "q", "ratnig": 3}]
    )

    with pytest.raises(Invalid) as refused:
        build_feedback_events(request_body)
    assert refused.value.errors[0].field.startswith("feedback[0]")


@pytest.mark.parametrize("value", [10**40, {"a": [2**64]}])
@pytest.mark.parametrize("field", ["input", "actual", "expected"])
def test_an_item_to_adapt_to_that_cannot_be_stored_is_refused_by_its_field(
    field: str, value: object
) -> None:
    item = {"input": "q", "expected": "a"} | {field: value}
    request = AdaptRequest(agentId="picker", method="continual", feedback=[item])

    with pytest.raises(Invalid) as refused:
        build_feedback_events(request)

    assert refused.value.errors[0].field.startswith(f"feedback[0].{field}")


@pytest.mark.parametrize("name", ["a/b", "..", "\u200b", "x" * 300])
def test_a_function_refuses_a_dataset_that_its_command_would_refuse(name: str) -> None:
    training = {"agentId": "a", "config": {"method": "supervised", "dataset": name}}
    with pytest.raises(ValidationError):
        TrainAgentRequest.model_validate(training)
    with pytest.raises(ValidationError):
        GenerateRequest.model_validate({"scenarioType": "s", "count": 1, "examples": name})
