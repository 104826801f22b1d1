"""The specification's functions."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from archon_contracts.values import ArtifactRef
from services.gateway.domain import Lineage, ModelView
from services.gateway.errors import Invalid, MalformedBody, NotFound
from services.gateway.feedback.hourly_stats import HourCounts
from services.gateway.functions.requests import (
    AdaptWish,
    AnalyseWish,
    BenchmarkWish,
    TrainAgentWish,
    ValidateWish,
)
from services.gateway.functions.service import Functions, feedback_of, job_wish
from shared.artifacts.store import Artifacts
from tests.support.clocks import SetClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHARE = {"value": 0.75, "low": 0.7, "high": 0.8, "n": 200}
EVALUATION = {
    "passed": True,
    "reasons": ["better on all items"],
    "accuracy": {"candidate": {"all": SHARE}, "live": {"all": SHARE}},
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


class Versions:
    """A store in memory."""

    def __init__(self, *models: ModelView, hours: tuple[HourCounts, ...] = ()) -> None:
        self._models, self._hours = models, hours

    async def has_agent(self, _tx: object, _tenant: str, agent_id: str) -> bool:
        return agent_id == "a"

    async def models(
        self, _tx: object, _tenant: str, _agent: str, *, version: str | None = None, most: int = 9
    ) -> list[ModelView]:
        return [m for m in self._models if version in (None, m.version)][:most]

    async def live_version(self, _tx: object, _tenant: str, _agent: str) -> str | None:
        return next((m.version for m in self._models if m.status == "deployed"), None)

    async def feedback_hours(self, *_: object) -> list[HourCounts]:
        return list(self._hours)


async def published(folder: Path) -> tuple[Artifacts, ArtifactRef]:
    artifacts = Artifacts(folder.as_uri())
    return artifacts, await artifacts.publish_files({"model.safetensors": b"weights"})


def functions(store: Versions, artifacts: Artifacts) -> Functions:
    return Functions(store, artifacts, SetClock(NOON))


async def test_an_untouched_evaluated_model_is_valid(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)
    checked = functions(Versions(model(ref)), artifacts)

    found = await checked.model_to_validate(None, "t", ValidateWish(agentId="a"))
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

    answer = await functions(Versions(), artifacts).validate_model(model(ref))

    assert not answer.valid
    assert [check.passed for check in answer.checks] == [True, True, False]


async def test_a_model_without_an_evaluation_is_invalid(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)

    answer = await functions(Versions(), artifacts).validate_model(model(ref, evaluation=None))

    assert not answer.valid


async def test_without_a_live_version_nothing_is_validated(tmp_path: Path) -> None:
    artifacts, _ = await published(tmp_path)

    with pytest.raises(NotFound, match="live version"):
        await functions(Versions(), artifacts).model_to_validate(
            None, "t", ValidateWish(agentId="a")
        )


async def test_a_benchmark_shows_stored_figures_side_by_side(tmp_path: Path) -> None:
    artifacts, ref = await published(tmp_path)
    store = Versions(model(ref, "1.1.0"), model(ref), model(ref, "0.9.0", evaluation=None))

    answer = await functions(store, artifacts).benchmark(None, "t", BenchmarkWish(agentId="a"))

    assert [line.version for line in answer.versions] == ["1.1.0", "1.0.0"]
    assert answer.versions[0].accuracy == {"all": SHARE}
    assert answer.versions[0].compared_with == {"live": {"all": SHARE}}


async def test_an_agent_that_was_never_evaluated_has_no_benchmark(tmp_path: Path) -> None:
    artifacts, _ = await published(tmp_path)

    with pytest.raises(NotFound):
        await functions(Versions(), artifacts).benchmark(None, "t", BenchmarkWish(agentId="a"))


async def test_logs_are_analysed_as_given_or_as_counted(tmp_path: Path) -> None:
    artifacts, _ = await published(tmp_path)
    analysed = functions(
        Versions(hours=(HourCounts(hour=NOON, feedback=4, corrected=1),)), artifacts
    )

    counted = await analysed.analyse_logs(None, "t", AnalyseWish(agentId="a"))
    given = await analysed.analyse_logs(
        None, "t", AnalyseWish(agentId="a", logs=[{"rating": 2}, {"error": "timeout"}])
    )

    assert (counted.source, counted.corrected_share) == ("topic", 0.25)
    assert (given.source, given.mean_rating, given.error_share) == ("logs", 2.0, 0.5)


def test_the_specifications_example_becomes_a_job() -> None:
    config = {
        "method": "supervised",
        "dataset": "training-data-v1",
        "epochs": 10,
        "batchSize": 32,
        "learningRate": 0.001,
        "validation": {"split": 0.15, "frequency": "epoch"},
    }

    wish = job_wish(TrainAgentWish(agentId="agent-123", config=config))

    assert (wish.agent_id, wish.dataset) == ("agent-123", "training-data-v1")
    assert (wish.config.epochs, wish.config.batch_size) == (10, 32)
    assert (wish.config.learning_rate, wish.config.validation_split) == (0.001, 0.15)


@pytest.mark.parametrize(
    "config", [{"epochs": -1}, {"learningRate": 7}, {"epoch": 3}, {"validation": {"splt": 0.1}}]
)
def test_a_hyper_parameter_out_of_range_or_misspelt_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainAgentWish(agentId="a", config={"method": "supervised", **config})


def test_items_to_adapt_to_become_feedback_with_ids_of_their_content() -> None:
    item = {"input": "q", "expected": "x", "actual": "y", "rating": 3}
    wish = AdaptWish(agentId="a", method="continual", feedback=[item, {**item, "rating": 4}])

    first, second = feedback_of(wish)

    assert first.interaction_id == feedback_of(wish)[0].interaction_id != second.interaction_id
    assert (first.agent_id, first.expected, first.rating) == ("a", "x", 3)


def test_an_item_with_a_nul_character_is_refused() -> None:
    wish = AdaptWish(agentId="a", method="continual", feedback=[{"input": "nul \x00", "rating": 3}])

    with pytest.raises(MalformedBody):
        feedback_of(wish)


def test_an_item_that_cannot_be_feedback_is_named() -> None:
    wish = AdaptWish(agentId="a", method="continual", feedback=[{"input": "q", "ratnig": 3}])

    with pytest.raises(Invalid) as refused:
        feedback_of(wish)
    assert refused.value.errors[0].field.startswith("feedback[0]")
