import json
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from archon_inference import load_predictor
from services.trainer.child import ENTRY, run
from services.trainer.errors import EmptyDataset, NonFiniteLoss, RunInvalid
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import REQUESTS, TOOLS, items, run_spec, write_lines

KINDS = ["selector", "classifier"]


def _ignore(report: dict[str, Any]) -> None:
    pass


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny_encoder(tmp_path / "base")


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_model_is_right_where_it_was_shown_the_answer(
    tmp_path: Path, base: Path, kind: str
) -> None:
    spec = run_spec(tmp_path, base, kind=kind, epochs=12)

    result = run(spec, _ignore)

    predictor = load_predictor(Path(result["model_dir"]))
    texts = [(text, tool) for tool, texts in REQUESTS.items() for text in texts]
    answers = predictor.predict([text for text, _ in texts])
    right = [answer.output == tool for answer, (_, tool) in zip(answers, texts, strict=True)]
    assert sum(right) >= 10
    assert result["metrics"]["validation/accuracy"] == pytest.approx(sum(right) / len(right))


def test_the_entry_names_the_function_that_the_pool_runs() -> None:
    module, _, function = ENTRY.partition(":")

    assert getattr(import_module(module), function) is run


def test_a_run_reports_its_progress(tmp_path: Path, base: Path) -> None:
    reports: list[dict[str, Any]] = []

    result = run(run_spec(tmp_path, base, checkpoint_steps=8), reports.append)

    events = [report["event"] for report in reports]
    assert events[:2] == ["started", "first_step"]
    assert reports[0] == {"event": "started", "total_steps": 12, "resumed_from_step": 0}
    assert [r["step"] for r in reports if r["event"] == "checkpoint"] == [8, 12]
    names = {name for r in reports if r["event"] == "metrics" for name in r["values"]}
    assert {"train/loss", "train/learning_rate", "validation/accuracy"} <= names
    assert result["steps"] == 12
    assert result["peak_memory_mb"] > 0
    assert {"torch", "transformers"} <= result["library_versions"].keys()


def test_a_warm_start_accepts_an_additional_tool(tmp_path: Path, base: Path) -> None:
    first = run_spec(tmp_path / "one", base)
    parent = Path(run(first, _ignore)["model_dir"])
    spec = run_spec(tmp_path / "two", base) | {
        "warm_start_model": str(parent),
        "method": "continual",
    }
    new = {"name": "book_flight", "description": "book a seat on a flight"}
    (tmp_path / "two" / "catalogue.json").write_text(json.dumps([new, *TOOLS]))

    model = Path(run(spec, _ignore)["model_dir"])

    (answer,) = load_predictor(model).predict(["book a flight"], k=9)
    assert {answer.output, *answer.alternatives} == {"book_flight", *REQUESTS}


def test_a_warm_started_classifier_keeps_its_label_order(tmp_path: Path, base: Path) -> None:
    parent = Path(
        run(run_spec(tmp_path / "one", base, kind="classifier", fine_tuning="always"), _ignore)[
            "model_dir"
        ]
    )
    spec = run_spec(tmp_path / "two", base, kind="classifier", fine_tuning="always")
    spec |= {"warm_start_model": str(parent), "labels": ["a label more", *REQUESTS]}

    model = Path(run(spec, _ignore)["model_dir"])

    labels = json.loads((model / "archon.json").read_text())["labels"]
    assert labels == [*sorted(REQUESTS), "a label more"]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path, base: Path) -> None:
    models = [run(run_spec(tmp_path / name, base), _ignore)["model_dir"] for name in "ab"]

    one, other = (Path(model, "model.safetensors").read_bytes() for model in models)
    assert one == other


def test_items_whose_tool_left_the_catalogue_are_counted_and_left_out(
    tmp_path: Path, base: Path
) -> None:
    spec = run_spec(tmp_path, base)
    (tmp_path / "catalogue.json").write_text(json.dumps(TOOLS[:3]))

    assert run(spec, _ignore)["metrics"]["data/unknown_targets"] == 6


def test_a_dataset_of_unknown_tools_is_empty(tmp_path: Path, base: Path) -> None:
    spec = run_spec(tmp_path, base)
    rows = [row | {"target": "gone"} for row in items()]
    write_lines(tmp_path / "dataset" / "train.jsonl", rows)

    with pytest.raises(EmptyDataset):
        run(spec, _ignore)


def test_a_selector_without_a_catalogue_is_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(RunInvalid, match="needs a catalogue"):
        run(run_spec(tmp_path, base) | {"catalogue": None}, _ignore)


def test_a_warm_start_of_another_base_model_is_rejected(tmp_path: Path, base: Path) -> None:
    parent = run(run_spec(tmp_path / "one", base), _ignore)["model_dir"]
    other = tiny_encoder(tmp_path / "other")

    with pytest.raises(RunInvalid, match="The warm-start model is a selector of"):
        run(run_spec(tmp_path / "two", other) | {"warm_start_model": parent}, _ignore)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_that_is_not_a_number_stops_before_the_step(
    tmp_path: Path, base: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "services.trainer.recipes.encoder_recipe.weighted_mean",
        lambda losses, weights: losses.mean() * math.nan,
    )
    reports: list[dict[str, Any]] = []

    with pytest.raises(NonFiniteLoss, match="step 1"):
        run(run_spec(tmp_path, base, kind=kind, fine_tuning="always"), reports.append)

    assert [report["event"] for report in reports] == ["started"]
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fine_tuning", ["always", "never"])
def test_the_length_that_is_read_comes_from_the_texts(
    tmp_path: Path, base: Path, kind: str, fine_tuning: str
) -> None:
    """Texts whose last words decide are read to their end."""
    spec = run_spec(tmp_path, base, kind=kind, epochs=12, max_length=60, fine_tuning=fine_tuning)
    filler = "please could you help me with this " * 6
    rows = [{**row, "input": filler + row["input"]} for row in items(repeat=2)]
    write_lines(tmp_path / "dataset" / "train.jsonl", rows)

    result = run(spec, _ignore)

    card = json.loads((Path(result["model_dir"]) / "archon.json").read_text())
    assert card["max_length"] > 42
    assert result["metrics"]["data/max_length"] == card["max_length"]
    assert result["metrics"]["data/cut_texts"] <= 0.05


def test_the_proportion_of_texts_that_are_cut_is_reported(tmp_path: Path, base: Path) -> None:
    spec = run_spec(tmp_path, base, max_length=16)
    rows = items()
    long = [{**row, "id": f"long {row['id']}", "input": "weather " * 40} for row in rows[:3]]
    write_lines(tmp_path / "dataset" / "train.jsonl", [*rows, *long])

    result = run(spec, _ignore)

    assert result["metrics"]["data/max_length"] == 16
    assert result["metrics"]["data/cut_texts"] == pytest.approx(3 / (len(rows) + 3))
