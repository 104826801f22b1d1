from pathlib import Path
from typing import Any

import pytest

from archon_inference import load_predictor
from services.trainer.child import run
from services.trainer.errors import EmptyDataset, NoLearningSignal
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines

# PEFT still asks transformers by the old name.
QUESTIONS = ("what is the weather", "forecast for oslo", "is it sunny", "rain in paris")
GOOD, BAD = "rain", "music song"
PAIRS = [{"input": text, "target": GOOD, "actual": BAD, "rejected": [BAD]} for text in QUESTIONS]
# Twice as many good ones as bad ones, and an odd number of all.
RATED = [{"input": t, "actual": GOOD, "rating": 5.0} for t in QUESTIONS * 2][:6] + [
    {"input": text, "actual": BAD, "reward": -1.0} for text in QUESTIONS[:3]
]


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": str(number), **row} for number, row in enumerate(rows)]


def _spec(
    root: Path,
    rows: list[dict[str, Any]],
    rewarded: list[dict[str, Any]] | None = None,
    **config: Any,
) -> dict[str, Any]:
    base = tiny_causal_model(root / "base", spread=0.15)
    settings = {"epochs": 8, "max_length": 32, "learning_rate": 5e-3, "lora_rank": 4}
    spec = run_spec(root, base, kind="generator", **(settings | config))
    write_lines(root / "dataset" / "train.jsonl", _numbered(rows))
    write_lines(root / "dataset" / "validation.jsonl", _numbered(PAIRS[:2]))
    if rewarded is not None:
        lines = [row | {"id": f"r{row['id']}"} for row in _numbered(rewarded)]
        write_lines(root / "dataset" / "rewards.jsonl", lines)
    return spec | {"method": "preference"}


@pytest.mark.parametrize("loss", ["dpo", "orpo", "simpo"])
def test_of_two_answers_the_better_one_is_learnt(tmp_path: Path, loss: str) -> None:
    result = run(_spec(tmp_path, PAIRS, preference_loss=loss), lambda event: None)

    metrics = result["metrics"]
    assert metrics["validation/preference"] == metrics["validation/raw_preference"] == 1.0
    assert metrics["train/loss_after"] < metrics["train/loss_before"]
    assert (metrics["data/pairs"], metrics["data/good_answers"]) == (4, 0)
    assert load_predictor(Path(result["model_dir"])).predict(["is it sunny"])


def test_ratings_alone_are_learnt_from_though_few_are_bad_and_their_number_is_odd(
    tmp_path: Path,
) -> None:
    metrics = run(_spec(tmp_path, [], RATED), lambda event: None)["metrics"]

    assert metrics["validation/preference"] == 1.0
    counts = [metrics[f"data/{name}"] for name in ("pairs", "good_answers", "bad_answers")]
    assert counts == [0, 6, 3]


def test_the_last_row_of_an_odd_sized_set_learns_from_its_own_divergence(tmp_path: Path) -> None:
    """Its batch holds nothing to compare it with; it stands beside another input's answer."""
    metrics = run(_spec(tmp_path, [], RATED, batch_size=8, epochs=1), lambda event: None)["metrics"]

    assert metrics["train/loss"] > 0


def test_pairs_and_ratings_of_one_window_are_learnt_together(tmp_path: Path) -> None:
    metrics = run(_spec(tmp_path, PAIRS, RATED[4:]), lambda event: None)["metrics"]

    counts = [metrics[f"data/{name}"] for name in ("pairs", "good_answers", "bad_answers")]
    assert counts == [4, 2, 3]
    assert metrics["validation/preference"] == 1.0


def test_an_answer_with_a_good_rating_counts_once_though_it_is_an_item_too(tmp_path: Path) -> None:
    twice = [{"input": QUESTIONS[0], "target": GOOD, "feedback_ids": ["r0"]}]

    metrics = run(_spec(tmp_path, twice, RATED), lambda event: None)["metrics"]

    assert metrics["data/good_answers"] == 6


@pytest.mark.parametrize(("rows", "kind"), [(RATED[:6], "good"), (RATED[6:], "bad")])
def test_ratings_of_one_kind_alone_are_refused_with_what_to_send(
    tmp_path: Path, rows: list[dict[str, Any]], kind: str
) -> None:
    with pytest.raises(NoLearningSignal, match=f"answers are {kind} ones.* send ratings of both"):
        run(_spec(tmp_path, [], rows), lambda event: None)


def test_a_dataset_that_prefers_nothing_is_refused(tmp_path: Path) -> None:
    rows = [{"input": QUESTIONS[0], "actual": GOOD, "rating": 3.0}]

    with pytest.raises(EmptyDataset, match="send corrections"):
        run(_spec(tmp_path, [], rows), lambda event: None)


def test_pairs_that_do_not_fit_are_left_out_and_counted(tmp_path: Path) -> None:
    long = {"input": "weather " * 40, "target": GOOD, "rejected": [BAD]}

    metrics = run(_spec(tmp_path, [*PAIRS, long]), lambda event: None)["metrics"]

    assert metrics["data/too_long_items"] == 1
