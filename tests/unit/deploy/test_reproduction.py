"""A version made again from its lineage has its digest, and a changed lineage has another."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.events.curriculum import CurriculumPlan, CurriculumStage
from archon_contracts.events.datasets import QualityReport
from archon_contracts.formats import DatasetCard
from archon_contracts.values import AgentKind, ArtifactRef, TrustPolicy
from deploy.exports.errors import ExchangeError
from deploy.reproduction import build_spec, reproduce
from services.trainer.child import run as train
from shared.artifacts.store import ArtifactStore
from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder
from tests.support.training.training_runs import REQUESTS, run_spec

PLAN = CurriculumPlan(
    level=1,
    stages=(CurriculumStage(name="all", maximum_difficulty=1.0, step_proportion=1.0),),
    replay_ratio=0.0,
)


def card() -> DatasetCard:
    """What data preparation writes beside the items."""
    return DatasetCard(
        agent_id="picker",
        kind="classifier",
        items={"train": 24},
        quality=QualityReport(received=24, kept=24),
        unusable={},
        agreement={},
        feedback_ids=0,
        sources=(),
        labels=tuple(REQUESTS),
        seed=7,
        plan=PLAN,
        trust=TrustPolicy(),
        policy={},
    )


class StoredVersion:
    """A classifier in a store, with the dataset it learnt and what its registration says."""

    def __init__(self, root: Path, kind: str = "classifier", **spec_of_method: Any) -> None:
        self.store = ArtifactStore(f"file://{root}/store")
        make_base = tiny_causal_model if kind == "generator" else tiny_encoder
        spec = run_spec(root, make_base(root / "base"), kind=kind, max_steps=2)
        spec |= spec_of_method | {"config": spec["config"] | spec_of_method.get("config", {})}
        described = card().model_copy(update={"kind": AgentKind(kind)})
        (root / "dataset" / "dataset.json").write_text(described.model_dump_json())
        dataset = asyncio.run(self.store.publish(root / "dataset"))
        facts = {name: spec[name] for name in ("method", "base_model", "config", "seed")}
        # As the first training had it: settings, labels and plan by the same names.
        folders = {"output_dir": str(root / "made"), "dataset": str(root / "dataset")}
        spec |= {"labels": list(REQUESTS), "plan": PLAN.model_dump(mode="json")}
        result = train(spec | folders, lambda _: None)
        artifact = asyncio.run(self.store.publish(Path(result["model_dir"])))
        facts["library_versions"] = result["library_versions"]
        facts["training_metrics"] = result["metrics"]
        self.artifact = artifact
        self.model: dict[str, Any] = {
            "version": "1.0.0",
            "digest": artifact.digest,
            "uri": artifact.uri,
            "lineage": {"facts": facts, "dataset": dataset.model_dump()},
        }

    def with_facts(self, **facts: Any) -> dict[str, Any]:
        lineage = self.model["lineage"]
        return self.model | {"lineage": lineage | {"facts": lineage["facts"] | facts}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> StoredVersion:
    return StoredVersion(tmp_path_factory.mktemp("trained"))


def no_update(_spec: dict[str, Any], _report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    raise AssertionError("it was no update")


async def made_again(trained: StoredVersion, model: dict[str, Any]) -> Any:
    return await reproduce(model, None, trained.store, threads=1, train=train, update=no_update)


async def test_the_same_lineage_gives_the_same_digest(trained: StoredVersion) -> None:
    found = await made_again(trained, trained.model)

    assert found.is_identical, found.different_files
    assert found.different_libraries == {}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("generator", {}),
        ("classifier", {"method": "transfer", "config": {"transfer_layers": "gradual"}}),
        ("classifier", {"config": {"search_trials": 3, "learning_rate": None}}),
    ],
    ids=["generator", "transfer", "search"],
)
def test_each_method_gives_its_digest_again(
    tmp_path: Path, kind: str, spec: dict[str, Any]
) -> None:
    made = StoredVersion(tmp_path, kind, **spec)

    found = asyncio.run(made_again(made, made.model))

    assert found.is_identical, found.different_files


def test_a_transfer_made_again_starts_from_the_same_source(tmp_path: Path) -> None:
    source = StoredVersion(tmp_path / "source")
    folder = asyncio.run(source.store.fetch_model(source.artifact))
    base = source.model["lineage"]["facts"]["base_model"]
    transfer = {"method": "transfer", "source_model": str(folder), "base_model": base}
    made = StoredVersion(tmp_path / "own", **transfer)
    made.store = source.store
    dataset = asyncio.run(made.store.publish(tmp_path / "own" / "dataset"))
    artifact = asyncio.run(made.store.publish(tmp_path / "own" / "made"))
    made.model["lineage"]["dataset"] = dataset.model_dump()

    model = made.with_facts(source_digest=source.artifact.digest)
    found = asyncio.run(made_again(made, model))

    assert found.digest == artifact.digest == made.artifact.digest


async def test_another_seed_gives_other_weights_which_are_named(trained: StoredVersion) -> None:
    model = trained.with_facts(seed=8, library_versions={"torch": "0.1"})

    found = await made_again(trained, model)

    assert not found.is_identical
    assert any(name.endswith(".safetensors") for name in found.different_files)
    assert found.different_libraries["torch"][0] == "0.1"


async def test_a_lineage_without_a_dataset_is_refused(trained: StoredVersion) -> None:
    model = trained.model | {"lineage": {"facts": {"imported_from": "elsewhere"}}}

    with pytest.raises(ExchangeError, match="names no dataset"):
        await made_again(trained, model)


def test_a_rehearsal_is_a_first_training(trained: StoredVersion) -> None:
    model = trained.with_facts(method="continual", retention="rehearsal")

    spec = build_spec(model, card(), Path("d"), None, Path("r"), 1)

    assert (spec["method"], spec["retention"]) == ("supervised", "rehearsal")


async def test_a_closed_form_that_took_the_candidates_place_is_found(
    trained: StoredVersion, tmp_path: Path
) -> None:
    version = await trained.store.fetch(
        ArtifactRef(uri=trained.model["uri"], digest=trained.model["digest"])
    )
    other = tmp_path / "fine-tuned"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"other")

    def gives_both(_spec: dict[str, Any], _report: object) -> dict[str, Any]:
        return {
            "model_dir": str(other),
            "closed_form": {"model_dir": str(version)},
            "library_versions": {},
        }

    found = await reproduce(
        trained.with_facts(library_versions={}),
        None,
        trained.store,
        threads=1,
        train=gives_both,
        update=no_update,
    )

    assert found.is_identical
