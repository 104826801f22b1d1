import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from archon_inference import load_predictor, read_card
from archon_inference.errors import ModelFolderInvalid
from services.trainer.child import run
from services.trainer.errors import EmptyDataset, NonFiniteLoss, RunInvalid
from services.trainer.recipes.generators import answer_loss
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines

# PEFT still asks transformers by the old name.

WEATHER, MUSIC = "what is the weather", "play my song please"
ADAPTER = "adapter/adapter_model.safetensors"


class GeneratorKilled(Exception):
    """Stands for the end of the process."""


def _spec(root: Path, base: Path, **config: Any) -> dict[str, Any]:
    settings = {"max_steps": 4, "max_length": 32, "max_new_tokens": 3}
    spec = run_spec(root, base, kind="generator", **(settings | config))
    rows = [
        {"id": str(n), "input": text, "target": "rain"}
        for n, text in enumerate([WEATHER, "forecast for oslo"] * 4)
    ]
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "validation.jsonl", rows[:2])
    return spec


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny_causal_model(tmp_path / "base")


def _train(spec: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    if rows is not None:
        write_lines(Path(spec["dataset"]) / "train.jsonl", rows)
    return run(spec, lambda event: None)


def test_a_generator_learns_what_it_is_shown_and_ends_there(tmp_path: Path, base: Path) -> None:
    rows = [
        {"id": str(n), "input": text, "target": target}
        for n, (text, target) in enumerate([(WEATHER, "rain"), (MUSIC, "song music")] * 4)
    ]

    result = _train(_spec(tmp_path, base, max_steps=60, epochs=50, max_new_tokens=None), rows)

    answers = load_predictor(Path(result["model_dir"])).predict([MUSIC, WEATHER])
    assert [answer.output for answer in answers] == ["song music", "rain"]


def test_a_version_is_its_base_model_byte_for_byte_and_an_adapter(
    tmp_path: Path, base: Path
) -> None:
    model = Path(_train(_spec(tmp_path, base))["model_dir"])

    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (model / name).read_bytes() == (base / name).read_bytes()
    card = read_card(model)
    assert (card.adapters, card.format_version) == (("adapter",), 4)
    adapted = {name.rsplit(".lora", 1)[0].rsplit(".", 1)[1] for name in load_file(model / ADAPTER)}
    assert adapted == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
    }  # fmt: skip


def test_rank_scale_dropout_and_dora_are_those_of_the_request(tmp_path: Path, base: Path) -> None:
    options = {"lora_rank": 2, "lora_alpha": 3, "lora_dropout": 0.25, "dora": True}

    model = Path(_train(_spec(tmp_path, base, **options))["model_dir"])

    stated = json.loads((model / "adapter" / "adapter_config.json").read_bytes())
    assert [stated[name] for name in ("r", "lora_alpha", "lora_dropout", "use_dora")] == [
        2, 3, 0.25, True
    ]  # fmt: skip
    assert stated["target_modules"] == sorted(stated["target_modules"])


def test_a_further_training_goes_on_with_the_same_adapter(tmp_path: Path, base: Path) -> None:
    first = Path(_train(_spec(tmp_path / "first", base, max_steps=40, epochs=40))["model_dir"])
    further = _spec(tmp_path / "further", base, max_steps=1, learning_rate=1e-9)
    further |= {"warm_start_model": str(first), "method": "continual"}

    second = Path(_train(further)["model_dir"])

    before, after = load_file(first / ADAPTER), load_file(second / ADAPTER)
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in before)
    assert load_predictor(second).predict([WEATHER])[0].output.split()[0] == "rain"


def test_another_rank_than_the_warm_starts_is_refused_with_what_to_do(
    tmp_path: Path, base: Path
) -> None:
    first = _train(_spec(tmp_path / "first", base, max_steps=1))["model_dir"]
    further = _spec(tmp_path / "further", base, lora_rank=4)
    further |= {"warm_start_model": first, "method": "continual"}

    with pytest.raises(RunInvalid, match=r"has rank 16 .* leave lora_rank 4 out"):
        run(further, lambda event: None)


def test_an_item_counts_as_much_as_it_weighs(tmp_path: Path, base: Path) -> None:
    rows = [
        {"id": f"{target}{n}", "input": WEATHER, "target": target, "weight": weight}
        for n in range(4)
        for target, weight in (("rain", 0.01), ("sunny", 10.0))
    ]

    result = _train(_spec(tmp_path, base, max_steps=24, epochs=60), rows)

    answer = load_predictor(Path(result["model_dir"])).predict([WEATHER])[0].output
    assert answer.split()[0] == "sunny"


def test_the_stages_of_a_curriculum_are_kept(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _spec(tmp_path, base, max_steps=4, epochs=2, batch_size=2)
    rows = [
        {"id": str(n), "input": text, "target": "rain", "difficulty": difficulty}
        for n, (text, difficulty) in enumerate([(WEATHER, 0.1)] * 2 + [("hotel", 0.9)] * 2)
    ]
    stages = [
        {"name": "easy", "maximum_difficulty": 0.2, "step_proportion": 0.5},
        {"name": "all", "maximum_difficulty": 1.0, "step_proportion": 0.5},
    ]
    seen: list[list[int]] = []
    original = answer_loss.answer_losses

    def watch(model: Any, batch: Any) -> Any:
        if model.training:
            seen.extend(batch["input_ids"].tolist())
        return original(model, batch)

    monkeypatch.setattr("services.trainer.recipes.generators.supervised.answer_losses", watch)
    plan = {"level": 1, "replay_ratio": 0.0, "stages": stages}
    _train(spec | {"plan": plan}, rows)

    assert len({tuple(ids) for ids in seen[:4]}) == 1, "the easy text alone"
    assert len({tuple(ids) for ids in seen}) == 2


def test_items_longer_than_the_limit_are_left_out_and_counted(tmp_path: Path, base: Path) -> None:
    rows = [
        {"id": "short", "input": WEATHER, "target": "rain"},
        {"id": "long prompt", "input": "weather " * 40, "target": "rain"},
        {"id": "long answer", "input": WEATHER, "target": "rain " * 40},
    ]

    result = _train(_spec(tmp_path, base), rows)

    assert result["metrics"]["data/too_long_items"] == 2


def test_a_limit_beyond_the_models_window_becomes_the_window(tmp_path: Path, base: Path) -> None:
    result = _train(_spec(tmp_path, base, max_length=512))

    assert result["metrics"]["data/max_length"] == 128
    assert read_card(Path(result["model_dir"])).max_length == 128 - 3


def test_answers_that_fill_the_window_are_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(RunInvalid, match="lower max_new_tokens"):
        _train(_spec(tmp_path, base, max_new_tokens=128))


def test_a_dataset_of_nothing_but_too_long_items_is_refused_by_name(
    tmp_path: Path, base: Path
) -> None:
    with pytest.raises(EmptyDataset, match="'novel'"):
        _train(_spec(tmp_path, base), [{"id": "novel", "input": "weather " * 40, "target": "rain"}])


def test_validation_items_that_do_not_fit_end_no_training(tmp_path: Path, base: Path) -> None:
    spec = _spec(tmp_path, base)
    novel = [{"id": "novel", "input": "weather " * 40, "target": "rain"}]
    write_lines(tmp_path / "dataset" / "validation.jsonl", novel)

    metrics = _train(spec)["metrics"]

    assert "validation/loss" not in metrics
    assert "validation/accuracy" in metrics


def test_loss_accuracy_and_valid_answers_are_validated(tmp_path: Path, base: Path) -> None:
    metrics = _train(_spec(tmp_path, base, max_steps=12, epochs=12))["metrics"]

    # So small a model comes no nearer: its output layer is not trained.
    assert 3.4 < metrics["validation/loss"] < 3.7 < metrics["train/loss_before"]
    assert metrics["validation/accuracy"] == metrics["validation/valid_answers"] == 1.0


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, base: Path) -> None:
    path = base / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"word{n}": len(vocabulary) + n for n in range(50)}
    path.write_text(json.dumps(tokenizer))

    with pytest.raises(ModelFolderInvalid, match="put the tokenizer there that belongs"):
        _train(_spec(tmp_path, base))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_base_model_that_was_cut_off_is_refused_in_one_sentence(
    tmp_path: Path, base: Path, name: str
) -> None:
    content = (base / name).read_bytes()
    (base / name).write_bytes(content[: len(content) // 2])

    with pytest.raises(ModelFolderInvalid, match="put the files there anew") as raised:
        _train(_spec(tmp_path, base))

    assert "\n" not in str(raised.value)


def test_a_warm_start_whose_adapter_is_gone_or_cut_off_is_refused(
    tmp_path: Path, base: Path
) -> None:
    first = Path(_train(_spec(tmp_path / "first", base, max_steps=1))["model_dir"])
    further = _spec(tmp_path / "further", base) | {"method": "continual"}
    cut = Path(shutil.copytree(first, tmp_path / "cut"))
    (cut / ADAPTER).write_bytes((first / ADAPTER).read_bytes()[:100])
    (first / ADAPTER).unlink()

    with pytest.raises(ModelFolderInvalid, match=r"lacks adapter_model\.safetensors"):
        run(further | {"warm_start_model": str(first)}, lambda event: None)
    with pytest.raises(RunInvalid, match="train from the base model"):
        run(further | {"warm_start_model": str(cut)}, lambda event: None)


def test_a_loss_that_is_not_a_number_ends_the_run_before_the_step(
    tmp_path: Path, base: Path
) -> None:
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    from safetensors.torch import save_file

    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(NonFiniteLoss, match="The loss of step 1 is nan"):
        _train(_spec(tmp_path, base))


def test_a_generator_that_died_ends_with_the_same_weights(tmp_path: Path, base: Path) -> None:
    def die(event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint":
            raise GeneratorKilled

    _train(_spec(tmp_path / "whole", base, lora_dropout=0.2, checkpoint_steps=2))
    with pytest.raises(GeneratorKilled):
        run(_spec(tmp_path / "halves", base, lora_dropout=0.2, checkpoint_steps=2), die)
    _train(_spec(tmp_path / "halves", base, lora_dropout=0.2, checkpoint_steps=2))

    one, other = (
        (tmp_path / name / "model" / ADAPTER).read_bytes() for name in ("whole", "halves")
    )
    assert one == other
