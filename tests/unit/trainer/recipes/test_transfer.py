"""Transfer on tiny models: what is trained, how fast, from which start, and what is measured."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archon_contracts.metric_names import (
    FROM_BASE,
    FROM_SCRATCH,
    TRANSFER_ACCURACY,
    TRANSFER_ITEMS,
    ZERO_SHOT,
)
from archon_contracts.values import TransferLayers
from archon_inference.encoder import TextEncoder
from archon_inference.loading import load_predictor
from services.trainer.child import run
from services.trainer.errors import RunInvalid, TrainingImpossible
from services.trainer.recipes.layers import LayerPlan
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import REQUESTS, run_spec


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, base: Path) -> str:
    """A classifier whose encoder was fine-tuned."""
    return str(
        run(run_spec(tmp_path_factory.mktemp("source"), base, kind="classifier"), ignore)[
            "model_dir"
        ]
    )


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def transfer(root: Path, base: Path, **spec: Any) -> dict[str, Any]:
    """A transfer, of a classifier if nothing else is said."""
    config = {"frozen_layers": None} | spec.pop("config", {})
    kind = spec.pop("kind", "classifier")
    return run(run_spec(root, base, kind=kind, **config) | {"method": "transfer"} | spec, ignore)


def load(model: str | Path) -> Any:
    """The trained classifier or selector."""
    return load_predictor(Path(model))


def test_a_transfer_is_measured_against_every_other_start(
    tmp_path: Path, base: Path, source: str
) -> None:
    result = transfer(tmp_path, base, source_model=source, config={"frozen_layers": 1})

    metrics = result["metrics"]
    assert metrics[TRANSFER_ITEMS] == 12
    assert metrics[TRANSFER_ACCURACY] == metrics["validation/accuracy"]
    assert result["closed_form"]["metrics"][TRANSFER_ITEMS] == 12
    for start in (FROM_BASE, FROM_SCRATCH, ZERO_SHOT):
        assert 0 <= metrics[f"{start}_accuracy"] <= 1
        assert 0 < metrics[f"{start}_p_value"] <= 1
    assert load(result["model_dir"]).card.labels == tuple(sorted(REQUESTS))


def test_a_start_that_cannot_be_trained_costs_its_figure_and_not_the_model(
    tmp_path: Path, base: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impossible(*_: object) -> None:
        raise TrainingImpossible("out of time")

    monkeypatch.setattr("services.trainer.recipes.transfer.recipe._train_aside", impossible)

    metrics = transfer(tmp_path, base, source_model=source, config={"frozen_layers": 1})["metrics"]

    assert f"{ZERO_SHOT}_accuracy" in metrics
    assert f"{FROM_BASE}_accuracy" not in metrics


def test_the_labels_are_the_agents_and_not_the_sources(
    tmp_path: Path, base: Path, source: str
) -> None:
    own = sorted(REQUESTS)[:2]
    result = transfer(
        tmp_path, base, source_model=source, labels=own, config={"compare_starts": False}
    )

    assert load(result["model_dir"]).card.labels == tuple(own)
    assert not any(name.startswith("transfer/") for name in result["metrics"])


@pytest.mark.parametrize("kind", ["classifier", "selector"])
@pytest.mark.parametrize("layers", list(TransferLayers))
def test_every_kind_of_layers_gives_a_model_that_answers(
    tmp_path: Path, base: Path, kind: str, layers: TransferLayers
) -> None:
    config = {"transfer_layers": layers.value, "compare_starts": False, "layer_decay": 0.5}
    if layers in (TransferLayers.FROZEN, TransferLayers.GRADUAL):
        config["frozen_layers"] = 1
    result = transfer(tmp_path, base, kind=kind, config=config)

    predictor = load(result["model_dir"])
    assert predictor.predict(["will it rain in oslo"], k=1)[0].output in REQUESTS
    assert not any("lora" in name for name in predictor.encoder.upper.state_dict())


def test_full_layers_beside_frozen_ones_are_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(RunInvalid, match="transfer_layers full trains every layer"):
        transfer(tmp_path, base, config={"transfer_layers": "full", "frozen_layers": 1})


def test_a_source_of_another_base_model_is_refused(tmp_path: Path, base: Path, source: str) -> None:
    other = tiny_encoder(tmp_path / "other")

    with pytest.raises(RunInvalid, match="name a source of the same kind and base model"):
        transfer(tmp_path, other, source_model=source)


def test_lower_layers_learn_more_slowly() -> None:
    plan = LayerPlan(top=3, lowest=1, decay=0.5, is_gradual=False)
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers[0].requires_grad_(False)
    model = nn.ModuleDict({"layer": layers, "head": nn.Linear(1, 1)})

    rates = [group["lr"] for group in plan.group_parameters(model, 0.8)]

    assert rates == [0.2, 0.4, 0.8]  # layers 1 and 2, and what is above them


def test_layers_are_unfrozen_from_the_highest_in_the_first_half() -> None:
    plan = LayerPlan(top=6, lowest=3, decay=1.0, is_gradual=True)

    assert [plan.lowest_trained(step, 8) for step in (0, 1, 2, 3, 4, 8)] == [5, 5, 4, 4, 3, 3]


def test_a_layer_does_not_move_before_it_is_unfrozen(tmp_path: Path, base: Path) -> None:
    one_step = {
        "transfer_layers": "gradual",
        "compare_starts": False,
        "max_steps": 1,
        "warmup_ratio": 0.0,
    }
    moved = transfer(tmp_path, base, config={"frozen_layers": 0, **one_step})

    before = TextEncoder.load(base, 0).upper.state_dict()
    after = load(moved["model_dir"]).encoder.upper.state_dict()
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    top = max(int(name.split("layer.")[1].split(".")[0]) for name in after if "layer." in name)
    assert changed
    assert all(f"layer.{top}." in name for name in changed)
