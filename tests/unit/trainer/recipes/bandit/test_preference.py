"""Preferences move the better answer above the worse one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from archon_contracts.metric_names import PREFERENCES, PREFERENCES_AFTER, PREFERENCES_BEFORE
from archon_inference.loading import load_predictor
from services.trainer.child import run
from services.trainer.errors import EmptyDataset
from services.trainer.recipes.bandit.preference import Preferences, balance, compare
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import REQUESTS, items, run_spec, write_lines


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def prefer(
    root: Path,
    base: Path,
    *,
    rows: list[dict[str, Any]],
    negatives: list[dict[str, Any]] = [],  # noqa: B006  it is only read
    kind: str = "classifier",
) -> dict[str, Any]:
    """A run on these items, from a version that knows one request of each tool."""
    known = [row for row in items() if row["input"] == REQUESTS[row["target"]][0]]
    first = run_spec(root / "first", base, kind=kind, fine_tuning="never")
    write_lines(root / "first" / "dataset" / "train.jsonl", known)
    deployed = run(first, ignore)["model_dir"]
    spec = run_spec(root, base, kind=kind)
    spec |= {"method": "preference", "warm_start_model": deployed}
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "negatives.jsonl", negatives)
    return run(spec, ignore)


@pytest.mark.parametrize("kind", ["classifier", "selector"])
def test_stated_answers_come_above_what_was_answered(tmp_path: Path, base: Path, kind: str) -> None:
    rows = [
        row | {"actual": other, "rejected": [other]}
        for row in items()
        for other in list(REQUESTS)[:1]
        if other != row["target"]
    ]

    result = prefer(tmp_path, base, rows=rows, kind=kind)

    metrics = result["metrics"]
    assert metrics[PREFERENCES] == len(rows)
    assert metrics[PREFERENCES_AFTER] == 1.0 >= metrics[PREFERENCES_BEFORE]
    model = load_predictor(Path(result["model_dir"]))
    answers = model.predict([row["input"] for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        assert answer.output not in row["rejected"]


def test_ratings_alone_on_an_uneven_and_odd_set(tmp_path: Path, base: Path) -> None:
    liked = [row | {"rating": 5.0, "weight": 0.5} for row in items()[:11]]
    disliked = [{"id": "bad", "input": "a room for the night", "rejected": ["get_weather"]}]

    result = prefer(tmp_path, base, rows=liked, negatives=disliked)

    assert result["metrics"][PREFERENCES] == 12
    assert result["metrics"][PREFERENCES_AFTER] == 1.0
    model = load_predictor(Path(result["model_dir"]))
    assert model.predict(["a room for the night"])[0].output != "get_weather"


def test_disliked_answers_alone_are_enough(tmp_path: Path, base: Path) -> None:
    wrong = [
        {"id": f"{n}", "input": row["input"], "rejected": ["book_hotel"]}
        for n, row in enumerate(items())
        if row["target"] != "book_hotel"
    ]

    assert prefer(tmp_path, base, rows=[], negatives=wrong)["metrics"][PREFERENCES_AFTER] == 1.0


def test_nothing_to_prefer_fails_the_run(tmp_path: Path, base: Path) -> None:
    with pytest.raises(EmptyDataset):
        run(
            run_spec(tmp_path, base, kind="classifier")
            | {"method": "preference", "dataset": str(tmp_path / "none")},
            ignore,
        )


def test_both_kinds_of_ratings_weigh_the_same_in_sum() -> None:
    better = torch.tensor([[True, False]] * 5 + [[False, False]])

    weights = balance(better, torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, 0.25]))

    assert float(weights[:5].sum()) == pytest.approx(float(weights[5])) == pytest.approx(0.5)
    assert float(weights[4]) == pytest.approx(float(weights[0]) / 2)


def test_the_strongest_other_answer_is_what_counts() -> None:
    marks = torch.tensor([[True, False, False], [False, True, False], [True, False, False]])
    worse = torch.tensor([[False, False, True], [False] * 3, [False, True, True]])
    scores = torch.tensor([[1.0, 9.0, 0.0], [2.0, 1.0, 0.0], [1.0, 2.0, 3.0]])
    data = Preferences(torch.empty(3, 1), scores, marks, worse, torch.ones(3))

    assert compare(data, scores).tolist() == [1.0, -1.0, -2.0]
